using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>What a gate answered. Only <see cref="Success"/> passes.</summary>
public enum GateOutcome
{
    Success = 1,

    /// <summary>It was asked, and says no.</summary>
    Failure = 2,

    /// <summary>It was asked, and says neither: no data, for instance.</summary>
    Inconclusive = 3,

    /// <summary>It could not be asked, or did not answer in time.</summary>
    Error = 4,
}

/// <summary>One answer, when it came, and what it was, for people.</summary>
public sealed record GateAnswer(Instant At, GateOutcome Outcome, string Detail);

/// <summary>How a gate stands.</summary>
public enum GateState
{
    /// <summary>Ask at <see cref="GateVerdict.AskAt"/>, or at once when that has passed.</summary>
    Ask = 1,

    /// <summary>What it guards goes on.</summary>
    Passed = 2,

    /// <summary>What it guards does not go on: the error policy decides what becomes of it.</summary>
    Stopped = 3,
}

/// <summary>
/// A gate's verdict. <paramref name="AskAt"/>: when to ask next; null when it is decided. <paramref name="Outcome"/>: what decided it; null
/// while nothing did. <paramref name="Why"/>: one sentence; empty when passed.
/// </summary>
public sealed record GateVerdict(GateState State, Instant? AskAt, GateOutcome? Outcome, string Why);

/// <summary>Decides what a gate's answers mean.</summary>
public static class Gate
{
    /// <summary>
    /// One success before the deadline passes. Anything else is asked again after the interval, until the attempts or the time are used
    /// up; then the gate is stopped with the last outcome that came in time, or as <see cref="GateOutcome.Error"/> when none did.
    /// <paramref name="begunAt"/> is when the first question could be asked; <paramref name="answers"/> are in the order in which they came.
    /// </summary>
    public static GateVerdict Decide(GateSpec gate, Instant begunAt, IReadOnlyList<GateAnswer> answers, Instant now)
    {
        Instant deadline = begunAt + gate.Deadline;
        GateAnswer[] inTime = [.. answers.Where(answer => answer.At <= deadline).Take(gate.Attempts)];
        if (inTime.Any(answer => answer.Outcome == GateOutcome.Success))
        {
            return new GateVerdict(GateState.Passed, null, GateOutcome.Success, "");
        }

        string last = inTime is [.., var newest] ? $"{Choice.Text(newest.Outcome)}: {newest.Detail}" : "no answer";
        Instant next = inTime is [.., var latest] ? latest.At + gate.Interval : begunAt;
        if (inTime.Length < gate.Attempts && now <= deadline && next <= deadline)
        {
            return new GateVerdict(GateState.Ask, next, null, inTime.Length == 0
                ? $"Gate '{gate.Name}' has not answered yet."
                : $"Gate '{gate.Name}' is asked again, attempt {inTime.Length + 1} of {gate.Attempts}; its last answer was {last}.");
        }

        string end = inTime.Length == gate.Attempts ? $"after {gate.Attempts} {(gate.Attempts == 1 ? "attempt" : "attempts")}" : $"within {DurationText.Format(gate.Deadline)}";
        return new GateVerdict(
            GateState.Stopped, null, inTime is [.., var decisive] ? decisive.Outcome : GateOutcome.Error, $"Gate '{gate.Name}' did not succeed {end}: {last}.");
    }
}
