using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Timings;

/// <summary>Writes the rows of steps and their times.</summary>
internal static class StepJournal
{
    public static void Begin(UpgradeRecord upgrade, StepCommand command, DateTimeOffset now) =>
        upgrade.Steps.Add(new UpgradeStepRecord
        {
            UpgradeId = upgrade.Id,
            Step = command.Step,
            Attempt = command.Attempt,
            State = StepOutcome.Running,
            StartedAt = now,
        });

    public static void Accept(UpgradeStepRecord step, DateTimeOffset now) => step.AcceptedAt = now;

    /// <summary>An attempt that was given up and succeeds after all gets the outcome and the times of its success.</summary>
    public static void Finish(UpgradeStepRecord step, UpgradeEffect.FinishStep outcome, DateTimeOffset now)
    {
        step.State = outcome.Failure == UpgradeFailure.None ? StepOutcome.Succeeded : StepOutcome.Failed;
        step.Failure = outcome.Failure;
        step.Reason = outcome.Reason.Length == 0 ? null : outcome.Reason;
        step.FinishedAt = now;

        IReadOnlyList<StepTiming> timings = outcome.Report.Timings;
        step.DurationNs = timings.Count == 0 ? null : timings[0].Nanoseconds;
        step.Clock = timings.Count == 0 ? null : timings[0].Clock;
        for (int position = 0; position < timings.Count; position++)
        {
            StepTimingRecord? row = step.Timings.Find(timing => timing.Position == position);
            if (row is null)
            {
                step.Timings.Add(new StepTimingRecord
                {
                    UpgradeId = step.UpgradeId,
                    Step = step.Step,
                    Attempt = step.Attempt,
                    Position = position,
                    Name = timings[position].Name,
                    Clock = timings[position].Clock,
                    Nanoseconds = timings[position].Nanoseconds,
                });
            }
            else
            {
                row.Name = timings[position].Name;
                row.Clock = timings[position].Clock;
                row.Nanoseconds = timings[position].Nanoseconds;
            }
        }

        step.Timings.RemoveAll(timing => timing.Position >= timings.Count);
    }
}
