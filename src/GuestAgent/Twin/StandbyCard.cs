using System.Net;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>
/// Kernel B's side of a card that its host has plugged in for it alone: B serves there while kernel A serves on the other, to the commit.
/// Then its interface goes down, so that the next upgrade finds a spare card again.
/// </summary>
public sealed class StandbyCard(KernelFiles files, GuestNetwork network, INetworkStack stack, ServiceJournals journals)
{
    /// <summary>Its interface, for an agent that is started again.</summary>
    private const string NotePath = "/run/twinkernel/standby-card";
    /// <summary>What the kernel calls a card that nobody names.</summary>
    private const string Unnamed = "eth";

    /// <summary>The guest's own card comes later, and is to have the name that it has in kernel A.</summary>
    private const string Name = "standby0";
    private const int Pings = 5;
    private const ushort Discard = 9;
    private static readonly TimeSpan PingPatience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan InterfacePatience = TimeSpan.FromSeconds(5);

    /// <summary>Gives the card its address. Idempotent.</summary>
    /// <exception cref="TimeoutException">No interface has this address.</exception>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Serve(string mac, NetworkConfiguration configuration)
    {
        string name = network.WaitByMac(mac, InterfacePatience).Name;
        if (name.StartsWith(Unnamed, StringComparison.Ordinal))
        {
            stack.Rename(name, Name);
            name = Name;
        }

        Directory.CreateDirectory(files.At("/run/twinkernel"));
        File.WriteAllText(files.At(NotePath), name);
        // Inside the gap it would take long, and lose what is under way. What fails here is tried again, and told, there.
        journals.Plug(name);
        stack.Configure(name, configuration);
    }

    /// <summary>Kernel B can be asked there.</summary>
    public bool Serves => files.Exists(NotePath);

    /// <summary>
    /// All that the cut-over's gap consists of is done once while kernel A still serves: what has not run before is slow, under emulation by ten
    /// times. To adopt this card and to give it its address was part of it; this is the rest.
    /// </summary>
    /// <param name="own">The card's address.</param>
    /// <param name="peer">Answers to ICMP echo; null or empty: nobody is known to.</param>
    public void Rehearse(IPAddress own, string? peer)
    {
        if (IPAddress.TryParse(peer, out IPAddress? host))
        {
            stack.Ping(host, Pings, PingPatience);
            stack.Tickle(own, [new TcpConnection(own, Discard, host, Discard)]); // There is none: the answer is a reset.
        }

        UdpEcho.Rehearse();
    }

    /// <summary>Serves there no longer. Without such a card there is nothing to do. Idempotent.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Close()
    {
        if (files.TryRead(NotePath) is { Length: > 0 } name)
        {
            stack.TakeDown(name);
            File.Delete(files.At(NotePath));
        }
    }
}
