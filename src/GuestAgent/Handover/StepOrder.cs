using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>The order of an upgrade's steps, in one place.</summary>
internal static class StepOrder
{
    /// <summary>A twin's. Kernel A takes all but the last; <see cref="Wire.Step.Commit"/> is kernel B's.</summary>
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

    /// <summary>By kexec: behind the last there is another kernel.</summary>
    private static readonly IReadOnlyList<Wire.Step> Kexec = [Wire.Step.Preflight, Wire.Step.Load, Wire.Step.CutOver];

    /// <summary>Whether an upgrade of this strategy has the step; each has a roll-back.</summary>
    public static bool Has(Wire.Strategy strategy, Wire.Step step) => step == Wire.Step.RollBack || Steps(strategy).Contains(step);

    /// <summary>The step that must have succeeded before; null for the first.</summary>
    public static Wire.Step? Before(Wire.Strategy strategy, Wire.Step step)
    {
        IReadOnlyList<Wire.Step> steps = Steps(strategy);
        for (int i = 1; i < steps.Count; i++)
        {
            if (steps[i] == step)
            {
                return steps[i - 1];
            }
        }

        return null;
    }

    private static IReadOnlyList<Wire.Step> Steps(Wire.Strategy strategy) => strategy == Wire.Strategy.Kexec ? Kexec : Forward;

    /// <summary>The first word of the step's timings.</summary>
    public static string Word(Wire.Step step) => step switch
    {
        Wire.Step.CutOver => "cutover",
        Wire.Step.RollBack => "rollback",
        _ => step.ToString().ToLowerInvariant(),
    };
}
