using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>
/// Kernel B's side of a card that its host has plugged in for it alone: B serves there while kernel A serves on the other, to the commit.
/// Then its interface goes down, so that the next upgrade finds a spare card again.
/// </summary>
public sealed class StandbyCard(KernelFiles files, GuestNetwork network, INetworkStack stack)
{
    /// <summary>Its interface, for an agent that is started again.</summary>
    private const string NotePath = "/run/twinkernel/standby-card";
    private static readonly TimeSpan InterfacePatience = TimeSpan.FromSeconds(5);

    /// <summary>Gives the card its address. Idempotent.</summary>
    /// <exception cref="TimeoutException">No interface has this address.</exception>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Serve(string mac, NetworkConfiguration configuration)
    {
        string name = network.WaitByMac(mac, InterfacePatience).Name;
        Directory.CreateDirectory(files.At("/run/twinkernel"));
        File.WriteAllText(files.At(NotePath), name);
        stack.Configure(name, configuration);
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
