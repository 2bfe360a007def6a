using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Timings;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

internal static class UpgradeResponse
{
    public static Wire.Upgrade ToResponse(this UpgradeRecord upgrade, DateTimeOffset now)
    {
        bool ended = upgrade.Situation.Ended;
        Wire.Upgrade answer = new()
        {
            Id = upgrade.Id.ToString(),
            RolloutId = upgrade.RolloutId.ToString(),
            Host = upgrade.HostName,
            Guest = upgrade.GuestName,
            Image = upgrade.ImageDigest,
            ImageName = upgrade.ImageName,
            State = upgrade.State.ToString(),
            Ended = ended,
            Succeeded = upgrade.State == UpgradeState.Completed,
            Created = Timestamp.FromDateTimeOffset(upgrade.CreatedAt),
            FailedStep = upgrade.FailedStep?.ToString() ?? "",
            Failure = upgrade.Failure == UpgradeFailure.None ? "" : upgrade.Failure.ToString(),
            Reason = upgrade.Reason ?? "",
            OnPanic = upgrade.OnPanic.ToString(),
            TakenOver = upgrade.TakenOver ?? "",
            KernelReleaseBefore = upgrade.KernelReleaseBefore ?? "",
            BootIdBefore = upgrade.BootIdBefore ?? "",
            Progress = upgrade.Progress ?? "",
            WaitsFor = WaitsFor.Sentence(upgrade, now),
            Strategy = upgrade.Strategy.ToString(),
            StrategyReason = upgrade.StrategyReason ?? "",
            Signature = upgrade.Signature ?? "",
        };
        answer.Gates.Add(upgrade.Gates.OrderBy(gate => gate.Point).ThenBy(gate => gate.Name, StringComparer.Ordinal).Select(gate => new Wire.UpgradeGate
        {
            Point = gate.Point.ToString(),
            Name = gate.Name,
            State = gate.State.ToString(),
            Why = gate.Why ?? "",
            Answers = { gate.ReadAnswers().Select(answer => $"{answer.Outcome}: {answer.Detail}") },
        }));
        answer.Steps.Add(upgrade.Steps
            .OrderBy(step => step.StartedAt).ThenBy(step => step.Step).ThenBy(step => step.Attempt).Select(ToRow));
        if (upgrade.FinishedAt is { } finished)
        {
            answer.Finished = Timestamp.FromDateTimeOffset(finished);
        }

        if (ended)
        {
            answer.KernelReleaseAfter = upgrade.KernelReleaseAfter ?? "";
            answer.BootIdAfter = upgrade.BootIdAfter ?? "";
            answer.CpusOnlineAfter = (uint)(upgrade.CpusOnlineAfter ?? 0);
            answer.CpusPresentAfter = (uint)(upgrade.CpusPresentAfter ?? 0);
            answer.MachineMemoryOwnedAfter = (ulong)(upgrade.MachineMemoryOwnedAfter ?? 0);
        }

        answer.MachineMemoryBytes = (ulong)(upgrade.MachineMemoryBytes ?? 0);
        if (upgrade.OutageLongestGapNs is { } gap)
        {
            answer.Outage = new Wire.Outage
            {
                LongestGap = OfNanoseconds(gap),
                Sent = (ulong)(upgrade.OutageSent ?? 0),
                Answered = (ulong)(upgrade.OutageAnswered ?? 0),
                Interval = OfNanoseconds(upgrade.OutageIntervalNs ?? 0),
                Interrupted = upgrade.OutageInterrupted ?? false,
            };
        }

        return answer;
    }

    private static Wire.StepRow ToRow(UpgradeStepRecord step)
    {
        Wire.StepRow row = new()
        {
            Step = step.Step.ToString(),
            State = step.State.ToString(),
            Started = Timestamp.FromDateTimeOffset(step.StartedAt),
        };
        if (step.DurationNs is { } duration)
        {
            row.Duration = OfNanoseconds(duration);
        }

        row.Timings.Add(step.Timings.OrderBy(timing => timing.Position).Select(timing => new Wire.TimingRow
        {
            Name = timing.Name,
            Clock = timing.Clock,
            Nanoseconds = (ulong)timing.Nanoseconds,
        }));
        return row;
    }

    private static Duration OfNanoseconds(long nanoseconds) => new()
    {
        Seconds = nanoseconds / 1_000_000_000,
        Nanos = (int)(nanoseconds % 1_000_000_000),
    };
}
