namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// <c>machine.json</c>: what an agent must know to find a machine that an earlier one started, and on which
/// image to start it when it is gone. Written before the machine is started and again when it runs.
/// </summary>
internal sealed record MachineRecord
{
    public required string Guest { get; init; }

    /// <summary>Given to QEMU with <c>-uuid</c>, new at each start: a process that has it on its command line is the one meant.</summary>
    public required Guid Uuid { get; init; }

    /// <summary>The image a new start boots: the one that ran last, which an upgrade changes at its commit and not before.</summary>
    public required string ImageDigest { get; init; }

    /// <summary>The image whose kernel serves now; differs from <see cref="ImageDigest"/> from the cut-over to the commit.</summary>
    public required string ServingImageDigest { get; init; }

    /// <summary>
    /// The image of the next start only: what an upgrade by reboot tries. That start takes it away, so that the one after it is on
    /// <see cref="ImageDigest"/>. Null: nothing is to be tried.
    /// </summary>
    public string? NextImageDigest { get; init; }

    public required string Accelerator { get; init; }

    /// <summary>Null until the machine was seen running.</summary>
    public ProcessIdentity? Process { get; init; }

    /// <summary>TCP port on 127.0.0.1 that leads to the guest's agent.</summary>
    public int AgentPort { get; init; }

    /// <summary>UDP port on 127.0.0.1 that leads to the guest's observed service.</summary>
    public int ServicePort { get; init; }
}
