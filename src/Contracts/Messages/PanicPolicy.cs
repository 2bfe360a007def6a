namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>What a panic of kernel A means while kernel B stands by, from Standby to the cut-over.</summary>
public enum PanicPolicy
{
    /// <summary>What it means without an upgrade: the machine is reset, and its host starts it on the image that ran last.</summary>
    Reset = 0,

    /// <summary>Kernel B takes the machine over at once and commits by itself. What was in kernel A's memory is lost, the reset is not made.</summary>
    Failover = 1,
}
