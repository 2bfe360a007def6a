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
    private const string Peer = "10.0.3.2";
    private const string Host = "127.0.0.1";
    private const string PlaceHolder = "127.0.0.2";
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Plugs the card in, unless it is.</summary>
    /// <param name="qmp">Of the machine.</param>
    /// <param name="mac">The card's address.</param>
    /// <param name="servicePort">UDP port on 127.0.0.1 that leads to the service at the card; 0: none does.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="QmpException">The port is taken, or the machine has no such slot: an agent that knew none started it.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    public static async Task<StandbyCard> PlugAsync(Qmp qmp, string mac, int servicePort, CancellationToken cancellationToken)
    {
        if (!await IsPluggedAsync(qmp, cancellationToken).ConfigureAwait(false))
        {
            await RemoveNetworkAsync(qmp, cancellationToken).ConfigureAwait(false);
            JsonObject network = new()
            {
                ["type"] = "user",
                ["id"] = Card,
                ["ipv6"] = false,
                ["net"] = Network,
            };
            if (servicePort != 0)
            {
                network["hostfwd"] = new JsonArray(new JsonObject { ["str"] = Rule(Host, servicePort, Address) });
            }

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

        return new StandbyCard { Mac = mac, Network = $"{Address}/24", Peer = Peer, Optional = servicePort == 0 };
    }

    /// <summary>
    /// Datagrams for the guest's service go to kernel B at the card from now on; the port on the host stays the same. One that arrives between
    /// the two requests is lost. Idempotent.
    /// </summary>
    /// <param name="qmp">Of the machine.</param>
    /// <param name="servicePort">The port that leads to the guest's own card.</param>
    /// <param name="standbyPort">The card's own port, which leads nowhere meanwhile: QEMU takes answers of one service for those of either port. 0: there is none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="QmpException">QEMU refuses.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    public static async Task LeadToCardAsync(Qmp qmp, int servicePort, int standbyPort, CancellationToken cancellationToken)
    {
        if (standbyPort != 0)
        {
            await RemoveAsync(qmp, Card, Host, standbyPort, cancellationToken).ConfigureAwait(false);
        }

        await LeadAsync(qmp, servicePort, (QemuCommandLine.Network, QemuCommandLine.Address), (Card, Address), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>And back to the guest's own card. Where it leads there nothing changes.</summary>
    /// <inheritdoc cref="LeadToCardAsync" path="/param"/>
    /// <inheritdoc cref="LeadToCardAsync" path="/exception"/>
    public static async Task LeadToOwnAsync(Qmp qmp, int servicePort, int standbyPort, CancellationToken cancellationToken)
    {
        string list = await MonitorAsync(qmp, "info usernet", cancellationToken).ConfigureAwait(false);
        if (UserNetwork.Leads(list, QemuCommandLine.Network, servicePort, QemuCommandLine.Address))
        {
            return;
        }

        await LeadAsync(qmp, servicePort, (Card, Address), (QemuCommandLine.Network, QemuCommandLine.Address), cancellationToken).ConfigureAwait(false);
        if (standbyPort != 0)
        {
            await AddAsync(qmp, Card, Host, standbyPort, Address, cancellationToken).ConfigureAwait(false);
            await RemoveAsync(qmp, Card, PlaceHolder, servicePort, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The network that the port leaves gets a place holder with the same number at another loopback address: an answer that is late would found a
    /// forwarding of its own there, with another port, and QEMU would take all later answers for that one's.
    /// </summary>
    private static async Task LeadAsync(Qmp qmp, int servicePort, (string Network, string Address) from, (string Network, string Address) to, CancellationToken cancellationToken)
    {
        await AddAsync(qmp, from.Network, PlaceHolder, servicePort, from.Address, cancellationToken).ConfigureAwait(false);

        // QEMU carries them out in this order; between the two nobody waits for an answer.
        Task<string> removed = RemoveAsync(qmp, from.Network, Host, servicePort, cancellationToken);
        Task<string> added = AddAsync(qmp, to.Network, Host, servicePort, to.Address, cancellationToken);
        await Task.WhenAll(removed, added).ConfigureAwait(false);
        await RemoveAsync(qmp, to.Network, PlaceHolder, servicePort, cancellationToken).ConfigureAwait(false);

        // It refuses what is there already.
        string refused = await added.ConfigureAwait(false);
        if (refused.Length > 0 && !UserNetwork.Leads(await MonitorAsync(qmp, "info usernet", cancellationToken).ConfigureAwait(false), to.Network, servicePort, to.Address))
        {
            throw new QmpException($"Port {servicePort} leads nowhere in the guest: {refused}");
        }
    }

    private static Task<string> AddAsync(Qmp qmp, string network, string host, int port, string address, CancellationToken cancellationToken) =>
        MonitorAsync(qmp, $"hostfwd_add {network} {Rule(host, port, address)}", cancellationToken);

    private static Task<string> RemoveAsync(Qmp qmp, string network, string host, int port, CancellationToken cancellationToken) =>
        MonitorAsync(qmp, string.Create(CultureInfo.InvariantCulture, $"hostfwd_remove {network} udp:{host}:{port}"), cancellationToken);

    private static string Rule(string host, int port, string address) =>
        string.Create(CultureInfo.InvariantCulture, $"udp:{host}:{port}-{address}:{QemuCommandLine.ServicePort}");

    private static async Task<string> MonitorAsync(Qmp qmp, string command, CancellationToken cancellationToken) =>
        (await qmp.ExecuteAsync("human-monitor-command", new JsonObject { ["command-line"] = command }, AnswerPatience, cancellationToken).ConfigureAwait(false))?.GetValue<string>().Trim() ?? "";

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
