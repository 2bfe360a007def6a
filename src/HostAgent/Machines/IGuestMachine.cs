using System.Net;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>How to reach a machine that runs; valid until <see cref="Gone"/>.</summary>
internal sealed record MachineEndpoint(Uri Agent, IPEndPoint Service, string Token, string ImageDigest, CancellationToken Gone);

/// <summary>The virtual machine of a guest, as the steps of an upgrade see it.</summary>
internal interface IGuestMachine
{
    string Name { get; }

    /// <summary>Null while the machine does not run.</summary>
    MachineEndpoint? Endpoint { get; }

    /// <summary>Logs of the first and second serial port.</summary>
    IReadOnlyList<string> ConsoleLogs { get; }

    /// <summary>Waits until the machine runs, hurrying a start that is being put off.</summary>
    Task<MachineEndpoint> WaitRunningAsync(CancellationToken cancellationToken);

    /// <summary>Ends the machine when it runs and starts it on the image that its record names. What ran in it is lost.</summary>
    Task<MachineEndpoint> RestartAsync(string why, CancellationToken cancellationToken);

    /// <summary>Notes whose kernel serves; the image of the next start stays what it was.</summary>
    void RecordServing(string imageDigest);

    /// <summary>Notes that there is no way back: the next start, too, is on this image.</summary>
    void RecordCommitted(string imageDigest);

    /// <summary>Notes that the kernel of the image of the next start serves again.</summary>
    void RecordRolledBack();
}
