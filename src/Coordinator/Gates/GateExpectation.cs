using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>How a value is compared.</summary>
public enum Comparison
{
    Less = 1,
    AtMost = 2,
    More = 3,
    AtLeast = 4,
    Equal = 5,
    NotEqual = 6,
}

/// <summary>What the values of a query's answer must satisfy: <c>&lt; 0.01</c>.</summary>
public sealed record GateExpectation(Comparison Comparison, double Bound)
{
    public static GateExpectation? Parse(string text, string field, ICollection<Violation> violations) => throw new NotImplementedException();

    /// <summary>Success when there are values and all satisfy it, failure when one does not; no values, or one that is no number, is inconclusive.</summary>
    public GateOutcome Judge(IReadOnlyList<double> values) => throw new NotImplementedException();

    public override string ToString() => throw new NotImplementedException();
}
