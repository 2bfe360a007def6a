namespace TwinKernel.Fleet.Probe;

/// <summary>One second of a run.</summary>
/// <param name="At">Its end, since the run's start.</param>
/// <param name="Phase">The phase at its end.</param>
/// <param name="LongestGap">The longest that ended in it, or that lasts.</param>
public sealed record ProbeSecond(TimeSpan At, string Phase, long Sent, long Answered, long Unanswered, long Errors, TimeSpan P50, TimeSpan P99, TimeSpan Max, TimeSpan LongestGap);
