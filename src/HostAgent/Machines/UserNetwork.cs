using System.Globalization;
using System.Text.Json.Nodes;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>The host's ports that lead to a guest's, as QEMU's <c>info usernet</c> lists them.</summary>
internal sealed record UserNetwork(int AgentPort, int ServicePort)
{
    public static async Task<UserNetwork> AskAsync(Qmp qmp, TimeSpan timeout, CancellationToken cancellationToken)
    {
        JsonObject arguments = new() { ["command-line"] = "info usernet" };
        JsonNode? answer = await qmp.ExecuteAsync("human-monitor-command", arguments, timeout, cancellationToken).ConfigureAwait(false);
        return Parse(answer?.GetValue<string>() ?? "");
    }

    /// <summary>
    /// Reads lines such as <c>TCP[HOST_FORWARD]  16       127.0.0.1 32939       10.0.2.15  7700     0     0</c> below
    /// <c>Hub -1 (net0):</c>. Other networks may be in the list, with forwardings to the same ports.
    /// </summary>
    /// <exception cref="QmpException">A forwarding is not in the list; the message holds the list.</exception>
    public static UserNetwork Parse(string text)
    {
        int agent = 0, service = 0;
        bool own = false;
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            own = words is ["Hub", ..] ? words[^1] == $"({QemuCommandLine.Network}):" : own;
            if (own && words.Length >= 6
                && int.TryParse(words[3], CultureInfo.InvariantCulture, out int from)
                && int.TryParse(words[5], CultureInfo.InvariantCulture, out int to))
            {
                agent = words[0] == "TCP[HOST_FORWARD]" && to == QemuCommandLine.AgentPort ? from : agent;
                service = words[0] == "UDP[HOST_FORWARD]" && to == QemuCommandLine.ServicePort ? from : service;
            }
        }

        return agent > 0 && service > 0
            ? new UserNetwork(agent, service)
            : throw new QmpException($"QEMU's list of forwarded ports does not have those of the guest: {text.Trim()}");
    }
}
