using System.Globalization;
using System.Text.Json.Nodes;
using TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// The slot that every machine has empty from its start, and the card that is in it for an upgrade, on a user network of its own.
/// What is there is asked of QEMU each time, so that it does not matter which agent put it there.
/// </summary>
internal static class StandbySlot
{
    /// <summary>QEMU's id of the PCIe port.</summary>
    public const string Port = "standby-port";

    /// <summary>QEMU's id of the card, and of its network.</summary>
    private const string Card = "standby";
    private const string Network = "10.0.3.0/24";
    private const string Address = "10.0.3.15";
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Plugs the card in, unless it is.</summary>
    /// <param name="qmp">Of the machine.</param>
    /// <param name="mac">The card's address.</param>
    /// <param name="servicePort">UDP port on 127.0.0.1 that leads to the service at the card.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="QmpException">The port is taken, or the machine has no such slot: an agent that knew none started it.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    public static async Task<StandbyCard> PlugAsync(Qmp qmp, string mac, int servicePort, CancellationToken cancellationToken)
    {
        if (!await IsPluggedAsync(qmp, cancellationToken).ConfigureAwait(false))
        {
            await RemoveNetworkAsync(qmp, cancellationToken).ConfigureAwait(false);
            string forward = string.Create(CultureInfo.InvariantCulture, $"udp:127.0.0.1:{servicePort}-{Address}:{QemuCommandLine.ServicePort}");
            JsonObject network = new()
            {
                ["type"] = "user",
                ["id"] = Card,
                ["ipv6"] = false,
                ["net"] = Network,
                ["hostfwd"] = new JsonArray(new JsonObject { ["str"] = forward }),
            };
            JsonObject card = new()
            {
                ["driver"] = "virtio-net-pci",
                ["id"] = Card,
                ["bus"] = Port,
                ["netdev"] = Card,
                ["mac"] = mac,
                ["romfile"] = "",
            };
            await qmp.ExecuteAsync("netdev_add", network, AnswerPatience, cancellationToken).ConfigureAwait(false);
            await qmp.ExecuteAsync("device_add", card, AnswerPatience, cancellationToken).ConfigureAwait(false);
        }

        return new StandbyCard { Mac = mac, Network = $"{Address}/24" };
    }

    /// <summary>Asks the guest to let go of the card, if there is one, and takes it out.</summary>
    /// <returns>False: the guest did not let go within <paramref name="patience"/>; the card stays.</returns>
    /// <exception cref="QmpException">The connection ended.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    public static async Task<bool> UnplugAsync(Qmp qmp, TimeSpan patience, CancellationToken cancellationToken)
    {
        long until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (await IsPluggedAsync(qmp, cancellationToken).ConfigureAwait(false))
        {
            if (Environment.TickCount64 > until)
            {
                return false;
            }

            // Again and again: a kernel that has just got the card back may not have heard. QEMU refuses while it waits for the guest.
            await TryAsync(qmp, "device_del", cancellationToken).ConfigureAwait(false);
            await Task.Delay(LookEvery, cancellationToken).ConfigureAwait(false);
        }

        await RemoveNetworkAsync(qmp, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private static async Task<bool> IsPluggedAsync(Qmp qmp, CancellationToken cancellationToken)
    {
        JsonNode? devices = await qmp.ExecuteAsync("qom-list", new JsonObject { ["path"] = "/machine/peripheral" }, AnswerPatience, cancellationToken).ConfigureAwait(false);
        return devices is JsonArray list && list.Any(device => device?["name"]?.GetValue<string>() == Card);
    }

    /// <summary>There is one when an agent was killed between the card and its network; usually there is none.</summary>
    private static Task RemoveNetworkAsync(Qmp qmp, CancellationToken cancellationToken) => TryAsync(qmp, "netdev_del", cancellationToken);

    private static async Task TryAsync(Qmp qmp, string command, CancellationToken cancellationToken)
    {
        try
        {
            await qmp.ExecuteAsync(command, new JsonObject { ["id"] = Card }, AnswerPatience, cancellationToken).ConfigureAwait(false);
        }
        catch (QmpException) when (!qmp.Closed.IsCompleted)
        {
            // Refused: what comes next shows whether that matters.
        }
    }
}
