using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>What becomes of a moment at which no coordinator was there.</summary>
public enum MissedFiringPolicy
{
    /// <summary>The newest of those that were missed makes a rollout, when it is not older than the limit.</summary>
    RunOnce = 1,

    /// <summary>None does.</summary>
    Skip = 2,
}

/// <summary>
/// Of the moments of a schedule that have passed: which one makes a rollout, and which ones do not, and why. At most one does,
/// however many have passed.
/// </summary>
public sealed record DueFirings(Instant? Fire, IReadOnlyList<(Instant Due, string Reason)> Missed)
{
    /// <summary>What is at most so late is not missed: a coordinator looks every minute, and another one takes over when it dies.</summary>
    public static readonly Duration OnTime = Duration.FromMinutes(5);

    /// <summary>The most missed moments that are told, the newest ones.</summary>
    public const int MostMissed = 50;

    /// <param name="time">When the schedule fires.</param>
    /// <param name="policy">For what was missed.</param>
    /// <param name="limit">How late <see cref="MissedFiringPolicy.RunOnce"/> still makes a rollout.</param>
    /// <param name="settled">Moments until then were decided before.</param>
    /// <param name="now">Moments until now are decided.</param>
    public static DueFirings Of(ScheduleTime time, MissedFiringPolicy policy, Duration limit, Instant settled, Instant now)
    {
        List<Instant> passed = [.. time.After(settled).TakeWhile(moment => moment <= now).TakeLast(MostMissed + 1)];
        Instant? fire = null;
        if (passed.Count > 0 && now - passed[^1] <= (policy == MissedFiringPolicy.RunOnce ? Duration.Max(limit, OnTime) : OnTime))
        {
            fire = passed[^1];
        }

        return new DueFirings(fire,
        [
            .. passed.Where(moment => moment != fire).TakeLast(MostMissed)
                .Select(moment => (moment, fire is null ? $"no coordinator looked at it until {DurationText.Format(now - moment)} later" : "a later one was due as well")),
        ]);
    }
}
