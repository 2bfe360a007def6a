using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>
/// A guest that may not start now, and why, in one sentence. <paramref name="Never"/>: waiting does not help, a limit admits nothing even
/// with no upgrade running and every guest healthy.
/// </summary>
public sealed record NotAdmitted(GuestId Guest, string Why, bool Never);

/// <summary>Each candidate is in exactly one of the lists, in the order in which the candidates came.</summary>
public sealed record AdmissionDecision(IReadOnlyList<GuestId> Admitted, IReadOnlyList<NotAdmitted> NotAdmitted);

/// <summary>Which of the guests that could start now may.</summary>
public static class Admission
{
    /// <summary>
    /// Goes through the candidates in their order (the caller's priority) and admits each one that no limit of any scope forbids,
    /// counting those already running and those admitted before it. The same arguments give the same answer.
    /// A candidate that runs already, comes a second time, or is not a member of every scope is not admitted.
    /// </summary>
    public static AdmissionDecision Decide(IReadOnlyList<AdmissionScope> scopes, IReadOnlyList<GuestId> candidates)
    {
        AdmissionCount count = new(scopes);
        List<GuestId> admitted = [];
        List<NotAdmitted> others = [];
        foreach (GuestId candidate in candidates)
        {
            if (count.Start(candidate, out _) is { } refusal)
            {
                others.Add(refusal);
            }
            else
            {
                admitted.Add(candidate);
            }
        }

        return new AdmissionDecision(admitted, others);
    }
}
