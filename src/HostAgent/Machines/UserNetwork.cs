using System.Globalization;
using System.Text.Json.Nodes;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>The host's ports that lead to a guest's, as QEMU's <c>info usernet</c> lists them.</summary>
internal sealed record UserNetwork(int AgentPort, int ServicePort)
{
    private const string Loopback = "127.0.0.1";

    public static async Task<UserNetwork> AskAsync(Qmp qmp, TimeSpan timeout, CancellationToken cancellationToken)
    {
        JsonObject arguments = new() { ["command-line"] = "info usernet" };
        JsonNode? answer = await qmp.ExecuteAsync("human-monitor-command", arguments, timeout, cancellationToken).ConfigureAwait(false);
        return Parse(answer?.GetValue<string>() ?? "");
    }

    /// <exception cref="QmpException">A forwarding is not in the list; the message holds the list.</exception>
    public static UserNetwork Parse(string text)
    {
        int agent = 0, service = 0;
        foreach (Forward forward in Forwards(text).Where(forward => forward.Network == QemuCommandLine.Network))
        {
            agent = forward is { Protocol: "TCP", GuestPort: QemuCommandLine.AgentPort } ? forward.HostPort : agent;
            service = forward is { Protocol: "UDP", GuestPort: QemuCommandLine.ServicePort } ? forward.HostPort : service;
        }

        return agent > 0 && service > 0
            ? new UserNetwork(agent, service)
            : throw new QmpException($"QEMU's list of forwarded ports does not have those of the guest: {text.Trim()}");
    }

    /// <summary>Whether the list says that a UDP port of the host leads to the service at this address of this network.</summary>
    public static bool Leads(string text, string network, int servicePort, string address) =>
        Forwards(text).Contains(new Forward(network, "UDP", servicePort, address, QemuCommandLine.ServicePort));

    /// <summary>
    /// Reads lines such as <c>TCP[HOST_FORWARD]  16       127.0.0.1 32939       10.0.2.15  7700     0     0</c> below
    /// <c>Hub -1 (net0):</c>. Other networks may be in the list, with forwardings to the same ports.
    /// </summary>
    private static IEnumerable<Forward> Forwards(string text)
    {
        string network = "";
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            network = words is ["Hub", ..] ? words[^1].Trim('(', ')', ':') : network;
            if (words is [var kind, _, var host, var from, var address, var to, ..] && kind.EndsWith("[HOST_FORWARD]", StringComparison.Ordinal)
                && host == Loopback && int.TryParse(from, CultureInfo.InvariantCulture, out int hostPort)
                && int.TryParse(to, CultureInfo.InvariantCulture, out int guestPort))
            {
                yield return new Forward(network, kind[..kind.IndexOf('[', StringComparison.Ordinal)], hostPort, address, guestPort);
            }
        }
    }

    private sealed record Forward(string Network, string Protocol, int HostPort, string Address, int GuestPort);
}
