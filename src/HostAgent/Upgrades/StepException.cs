using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>A step failed, and it is known how.</summary>
internal sealed class StepException(UpgradeFailure failure, string reason, Exception? inner = null) : Exception(reason, inner)
{
    public UpgradeFailure Failure => failure;
}
