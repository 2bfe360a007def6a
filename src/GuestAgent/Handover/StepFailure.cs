using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>A step that cannot be done, as the caller is told.</summary>
/// <param name="code">The call's status.</param>
/// <param name="reason">One of <see cref="Reasons"/>.</param>
/// <param name="message">For the operator: what was found, and what to do where that is known.</param>
public sealed class StepFailure(StatusCode code, string reason, string message, Exception? cause = null) : Exception(message, cause)
{
    public StatusCode Code { get; } = code;

    public string Reason { get; } = reason;

    /// <summary>How long it took to fail; empty for a step that was refused.</summary>
    public IReadOnlyList<StepTiming> Timings { get; init; } = [];
}

/// <summary>Values of StepError.reason.</summary>
internal static class Reasons
{
    public const string StaleEpoch = "STALE_EPOCH";
    public const string WrongStep = "WRONG_STEP";
    public const string PreflightBlocked = "PREFLIGHT_BLOCKED";
    public const string NotEnoughCpus = "NOT_ENOUGH_CPUS";
    public const string NotEnoughMemory = "NOT_ENOUGH_MEMORY";
    public const string DigestMismatch = "DIGEST_MISMATCH";
    public const string ImageInvalid = "IMAGE_INVALID";
    public const string LaunchTimedOut = "LAUNCH_TIMED_OUT";
    public const string StandbySilent = "STANDBY_SILENT";
    public const string StandbyPanicked = "STANDBY_PANICKED";
    public const string Device = "DEVICE";
    public const string CpuOfflineFailed = "CPU_OFFLINE_FAILED";
    public const string CutOverReturned = "CUT_OVER_RETURNED";
    public const string SignatureRejected = "SIGNATURE_REJECTED";
    public const string KexecRefused = "KEXEC_REFUSED";
    public const string ServiceNotReady = "SERVICE_NOT_READY";
    public const string HookFailed = "HOOK_FAILED";
    public const string Cancelled = "CANCELLED";
    public const string Internal = "INTERNAL";
}
