using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>
/// Kernel A's side of kernel B being reachable from outside before it owns a card: A answers on its card for the address of
/// <c>twinkernel.standby=</c> on the kernel command line (proxy ARP) and routes it over the link. Its own address is not touched
/// (docs/decisions/0010). Without that parameter, or without a link, there is nothing of it, and an upgrade goes on without it.
/// </summary>
public sealed class StandbyNetwork(KernelFiles files, GuestNetwork network, INetworkStack stack, TwinLink link)
{
    /// <summary>The card's settings before: written once, so that an agent that is started again does not take its own for them.</summary>
    private const string BeforePath = "/run/twinkernel/card-before-standby";
    private static readonly string[] Settings = ["forwarding", "proxy_arp"];
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);

    /// <summary>Makes kernel B reachable, if it is wanted. Idempotent; what fails is undone, and told by the fact <c>standby.network</c>.</summary>
    public void Open(StepContext context, uint instance)
    {
        if (KernelCommandLine.Value(files.Read("/proc/cmdline"), "twinkernel.standby") is not { } wanted
            || network is not { Interface: { } card, Configuration: { } configuration })
        {
            return;
        }

        try
        {
            if (!IPAddress.TryParse(wanted, out IPAddress? address) || address.AddressFamily != AddressFamily.InterNetwork)
            {
                throw new IOException($"twinkernel.standby={wanted} on the kernel command line is no IPv4 address.");
            }

            context.Measure("network", () => Lead(context, instance, card, new NetworkConfiguration(address, 32, configuration.Address)));
            context.Facts["standby.address"] = $"{address}";
        }
        catch (Exception error) when (error is IOException or StepFailure)
        {
            context.Facts["standby.network"] = error.Message;
            Close();
        }
    }

    /// <summary>The card as it was; routes over the link go with the instance. Idempotent.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Close()
    {
        if (files.TryRead(BeforePath)?.Split(' ') is not [string card, .. string[] values] || values.Length != Settings.Length)
        {
            return;
        }

        for (int i = 0; i < Settings.Length; i++)
        {
            files.Write(Path(card, Settings[i]), values[i]);
        }

        File.Delete(files.At(BeforePath));
    }

    private void Lead(StepContext context, uint instance, GuestInterface card, NetworkConfiguration standby)
    {
        string twin = $"twin{instance}";
        if (!files.Exists($"/sys/class/net/{twin}"))
        {
            throw new IOException($"There is no link to instance {instance}.");
        }

        if (!files.Exists(BeforePath))
        {
            Directory.CreateDirectory(files.At("/run/twinkernel"));
            File.WriteAllText(files.At(BeforePath), string.Join(' ', Settings.Select(setting => files.Read(Path(card.Name, setting))).Prepend(card.Name)));
        }

        foreach (string setting in Settings)
        {
            files.Write(Path(card.Name, setting), "1");
            files.Write(Path(twin, setting), "1");
        }

        stack.RouteHost(twin, standby.Address);
        link.Ask(instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.StandbyNetwork, Network = standby.ToString() }, AnswerPatience, context.Cancellation);
    }

    private static string Path(string networkInterface, string setting) => $"/proc/sys/net/ipv4/conf/{networkInterface}/{setting}";
}
