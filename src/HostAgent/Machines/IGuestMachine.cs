using System.Net;
using TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>How to reach a machine that runs; valid until <paramref name="Gone"/>.</summary>
/// <param name="Run">Which run of the machine it is: another one after every start.</param>
/// <param name="Agent">Where the guest's agent answers.</param>
/// <param name="Service">Where the observed service answers.</param>
/// <param name="Token">The guest's bearer token.</param>
/// <param name="Gone">Cancelled when the machine has ended.</param>
internal sealed record MachineEndpoint(Guid Run, Uri Agent, IPEndPoint Service, string Token, CancellationToken Gone);

/// <summary>The virtual machine of a guest, as the steps of an upgrade see it.</summary>
internal interface IGuestMachine
{
    string Name { get; }

    /// <summary>Null while the machine does not run.</summary>
    MachineEndpoint? Endpoint { get; }

    /// <summary>Digest of the image whose kernel serves, or served last; empty before the first start.</summary>
    string ServingImageDigest { get; }

    /// <summary>The kernel that serves is of another image than the next start would take: its upgrade was not committed.</summary>
    bool OnTrial { get; }

    /// <summary>Logs of the first and second serial port.</summary>
    IReadOnlyList<string> ConsoleLogs { get; }

    /// <summary>Completes when it is known for the first time whether the machine runs.</summary>
    Task Settled { get; }

    /// <summary>Waits until the machine runs, hurrying a start that is being put off.</summary>
    Task<MachineEndpoint> WaitRunningAsync(CancellationToken cancellationToken);

    /// <summary>Ends the machine when it runs and starts it on the image that its record names. What ran in it is lost.</summary>
    Task<MachineEndpoint> RestartAsync(string why, CancellationToken cancellationToken);

    /// <summary>As <see cref="RestartAsync"/>, but on this image, once: the start after it is on the image that the record names.</summary>
    Task<MachineEndpoint> TryAsync(string imageDigest, string why, CancellationToken cancellationToken);

    /// <summary>Without the card of kernel B's own, which others rely on, no upgrade shall go on.</summary>
    bool NeedsStandbyCard { get; }

    /// <summary>Plugs that card in, unless it is; it is kernel B's from Transfer to Commit.</summary>
    /// <exception cref="IOException">QEMU refuses, or the machine does not run.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    Task<StandbyCard> PlugStandbyCardAsync(CancellationToken cancellationToken);

    /// <summary>Has the guest's service asked at that card, or again at the guest's own. Idempotent.</summary>
    /// <exception cref="IOException">QEMU refuses, or the machine does not run.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    Task LeadServiceAsync(bool toStandbyCard, CancellationToken cancellationToken);

    /// <summary>Takes that card out again, if it is plugged in.</summary>
    /// <returns>False: the guest did not let go of it within <paramref name="patience"/>; it stays.</returns>
    /// <exception cref="IOException">The connection to QEMU ended, or the machine does not run.</exception>
    /// <exception cref="TimeoutException">QEMU does not answer.</exception>
    Task<bool> UnplugStandbyCardAsync(TimeSpan patience, CancellationToken cancellationToken);

    /// <summary>Notes whose kernel serves; the image of the next start stays what it was.</summary>
    void RecordServing(string imageDigest);

    /// <summary>Notes that there is no way back: the next start, too, is on this image.</summary>
    void RecordCommitted(string imageDigest);

    /// <summary>Notes that the kernel of the image of the next start serves again.</summary>
    void RecordRolledBack();
}
