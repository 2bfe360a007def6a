using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.GuestLink;

/// <summary>What a failed call to a guest means for an upgrade.</summary>
internal static class GuestErrors
{
    private const string Trailer = "twinkernel-step-error-bin";

    /// <summary>What the guest said of the failure; null when the call failed on the way.</summary>
    public static StepError? StepErrorOf(this RpcException e)
    {
        if (e.Trailers.GetValueBytes(Trailer) is not { } bytes)
        {
            return null;
        }

        try
        {
            return StepError.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>True when the guest gave up because this side did, or its deadline passed: that says nothing of the step.</summary>
    public static bool IsCancellation(this RpcException e) => e.StepErrorOf() is { Reason: "CANCELLED" };

    /// <summary>True when nobody answered, so that asking again may help.</summary>
    public static bool IsTransport(this RpcException e) =>
        e.StepErrorOf() is null && e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.DeadlineExceeded;

    /// <summary>The failure that a guest's reason stands for, in a step.</summary>
    public static UpgradeFailure ToFailure(string reason, UpgradeStep step) => reason switch
    {
        "STALE_EPOCH" => UpgradeFailure.StaleEpoch,
        _ when step == UpgradeStep.RollBack => UpgradeFailure.RollBackFailed,
        _ when step == UpgradeStep.Commit => UpgradeFailure.CommitIncomplete,
        "PREFLIGHT_BLOCKED" => UpgradeFailure.PreflightBlocked,
        "CUT_OVER_RETURNED" => UpgradeFailure.CutOverReturned,
        "STANDBY_SILENT" or "STANDBY_PANICKED" when step == UpgradeStep.CutOver => UpgradeFailure.CutOverReturned,
        "NOT_ENOUGH_CPUS" or "NOT_ENOUGH_MEMORY" or "CPU_OFFLINE_FAILED" or "DEVICE" when step == UpgradeStep.CutOver => UpgradeFailure.TransferRefused,
        "SERVICE_NOT_READY" => UpgradeFailure.ServiceNotReady,
        "HOOK_FAILED" => UpgradeFailure.HookFailed,
        "SIGNATURE_REJECTED" => UpgradeFailure.SignatureRejected,
        "KEXEC_REFUSED" => UpgradeFailure.KexecRefused,
        "DIGEST_MISMATCH" => UpgradeFailure.ImageDigestMismatch,
        "IMAGE_INVALID" => UpgradeFailure.ImageInvalid,
        "LAUNCH_TIMED_OUT" => UpgradeFailure.LaunchTimedOut,
        "STANDBY_SILENT" => UpgradeFailure.StandbyKernelSilent,
        "STANDBY_PANICKED" => UpgradeFailure.StandbyKernelPanicked,
        "NOT_ENOUGH_CPUS" or "NOT_ENOUGH_MEMORY" or "CPU_OFFLINE_FAILED" or "DEVICE" => OfStep(step),
        _ => UpgradeFailure.Internal,
    };

    /// <summary>What a step's failure is called when nothing more is known than that the guest did not do it.</summary>
    public static UpgradeFailure OfStep(UpgradeStep step) => step switch
    {
        UpgradeStep.Preflight => UpgradeFailure.PreflightBlocked,
        UpgradeStep.Reserve => UpgradeFailure.ReservationRefused,
        UpgradeStep.Boot => UpgradeFailure.LaunchTimedOut,
        UpgradeStep.Standby => UpgradeFailure.StandbyKernelSilent,
        UpgradeStep.Transfer => UpgradeFailure.TransferRefused,
        UpgradeStep.CutOver => UpgradeFailure.CutOverReturned,
        UpgradeStep.Probation => UpgradeFailure.ProbationFailed,
        UpgradeStep.Commit => UpgradeFailure.CommitIncomplete,
        UpgradeStep.RollBack => UpgradeFailure.RollBackFailed,
        _ => UpgradeFailure.Internal,
    };
}
