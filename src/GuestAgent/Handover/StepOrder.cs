using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>The order of an upgrade's steps, in one place.</summary>
internal static class StepOrder
{
    /// <summary>Kernel A takes all but the last; <see cref="Wire.Step.Commit"/> is kernel B's.</summary>
    public static readonly IReadOnlyList<Wire.Step> Forward =
    [
        Wire.Step.Preflight,
        Wire.Step.Reserve,
        Wire.Step.Load,
        Wire.Step.Start,
        Wire.Step.Standby,
        Wire.Step.Transfer,
        Wire.Step.CutOver,
        Wire.Step.Commit,
    ];

    /// <summary>The step that must have succeeded before; null for the first.</summary>
    public static Wire.Step? Before(Wire.Step step)
    {
        for (int i = 1; i < Forward.Count; i++)
        {
            if (Forward[i] == step)
            {
                return Forward[i - 1];
            }
        }

        return null;
    }

    /// <summary>The first word of the step's timings.</summary>
    public static string Word(Wire.Step step) => step switch
    {
        Wire.Step.CutOver => "cutover",
        Wire.Step.RollBack => "rollback",
        _ => step.ToString().ToLowerInvariant(),
    };
}
