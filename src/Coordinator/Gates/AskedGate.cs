using System.Text.Json;
using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>A gate that is to be, is, or was asked, with its answers.</summary>
public abstract class AskedGate
{
    public required string Name { get; set; }
    public GateState State { get; set; }

    /// <summary>Why it is stopped, or asked again; null otherwise.</summary>
    public string? Why { get; set; }

    /// <summary>When the first question could be asked; null: it could not yet.</summary>
    public DateTimeOffset? BegunAt { get; set; }

    /// <summary>When it is asked next; null: it is decided, or was never asked.</summary>
    public DateTimeOffset? AskAt { get; set; }

    /// <summary>Until when a coordinator may be asking it; another one does afterwards. Null: nobody is.</summary>
    public DateTimeOffset? AskingUntil { get; set; }

    /// <summary>All answers since <see cref="BegunAt"/>, JSON.</summary>
    public string Answers { get; set; } = "[]";

    public IReadOnlyList<GateAnswer> ReadAnswers() =>
        [.. JsonSerializer.Deserialize<List<Stored>>(Answers)!.Select(one => new GateAnswer(Instant.FromDateTimeOffset(one.At), one.Outcome, one.Detail))];

    /// <summary>Takes in an answer to a question that was asked, and what follows from it.</summary>
    public GateVerdict Take(GateSpec spec, GateAnswer answer)
    {
        Answers = JsonSerializer.Serialize(ReadAnswers().Append(answer).Select(one => new Stored(one.At.ToDateTimeOffset(), one.Outcome, one.Detail)));
        GateVerdict verdict = Gate.Decide(spec, Instant.FromDateTimeOffset(BegunAt!.Value), ReadAnswers(), answer.At);
        (State, Why) = (verdict.State, verdict.Why.Length > 0 ? verdict.Why : null);
        (AskAt, AskingUntil) = (verdict.State == GateState.Ask ? verdict.AskAt?.ToDateTimeOffset() : null, null);
        return verdict;
    }

    private sealed record Stored(DateTimeOffset At, GateOutcome Outcome, string Detail);
}
