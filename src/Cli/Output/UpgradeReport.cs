using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Output;

/// <summary>An upgrade in full: its steps and their timings, the outage, the kernels before and after.</summary>
internal sealed class UpgradeReport(Surroundings surroundings)
{
    /// <summary>The clock that times a step as a whole; fleet.proto says so.</summary>
    private const string StepClock = "host agent";

    public void Print(Upgrade upgrade)
    {
        var output = surroundings.Out;
        output.WriteLine($"Upgrade {upgrade.Id}: guest {upgrade.Guest} on {upgrade.Host} to {upgrade.ImageName} ({Units.Digest(upgrade.Image)})");
        output.WriteLine(upgrade is { Finished: { } finished, Created: { } created }
            ? $"{upgrade.State} after {Units.Time(finished - created)}"
            : upgrade.State);
        if (upgrade.Failure.Length > 0 || upgrade.Reason.Length > 0)
        {
            output.WriteLine($"{(upgrade.FailedStep.Length > 0 ? $"Failed at {upgrade.FailedStep}" : "Failed")}: {string.Join(": ", new[] { upgrade.Failure, upgrade.Reason }.Where(text => text.Length > 0))}");
        }

        if (upgrade.TakenOver.Length > 0)
        {
            output.WriteLine($"Taken over without a cut-over: {upgrade.TakenOver}");
        }

        if (!upgrade.Ended && upgrade.WaitsFor.Length > 0)
        {
            output.WriteLine($"Waits for: {upgrade.WaitsFor}");
        }

        PrintSteps(upgrade);
        foreach (var gate in upgrade.Gates)
        {
            surroundings.Out.WriteLine($"Gate      {gate.Name} ({gate.Point}): {gate.State}{(gate.Why.Length > 0 ? $", {gate.Why}" : "")}; {(gate.Answers.Count > 0 ? gate.Answers[^1] : "not asked")}");
        }

        PrintStrategy(upgrade);
        PrintOutage(upgrade);
        PrintChange(upgrade);
        if (upgrade.Ended && !upgrade.Succeeded)
        {
            output.WriteLine($"Next: {NextAfterFailure(upgrade)}");
        }
    }

    private void PrintSteps(Upgrade upgrade)
    {
        if (upgrade.Steps.Count == 0)
        {
            return;
        }

        var listing = new Listing(surroundings.OnTerminal, "STEP", "STATE", "DURATION", "CLOCK").AlignRight(2);
        foreach (var step in upgrade.Steps)
        {
            listing.Add(step.Step, step.State, step.Duration is { } duration ? Units.Time(duration) : "-", StepClock);
            foreach (var timing in step.Timings)
            {
                listing.Add($"  {timing.Name}", "", Units.Nanoseconds(timing.Nanoseconds), timing.Clock);
            }
        }

        surroundings.Console.Write(listing.Table);
    }

    private void PrintStrategy(Upgrade upgrade)
    {
        if (upgrade.Strategy.Length > 0)
        {
            surroundings.Out.WriteLine($"Strategy  {upgrade.Strategy}{(upgrade.StrategyReason.Length > 0 ? $" ({upgrade.StrategyReason})" : "")}");
        }

        if (upgrade.Signature.Length > 0)
        {
            surroundings.Out.WriteLine($"Signature {upgrade.Signature}, as the old kernel says");
        }
    }

    private void PrintOutage(Upgrade upgrade)
    {
        if (upgrade.Outage is { LongestGap: { } gap, Interval: { } interval } outage)
        {
            surroundings.Out.WriteLine($"Outage    observed from outside: {Units.Time(gap)} longest gap, {Units.Count(outage.Sent)} probes, {Units.Interval(interval)} apart in the cut-over, {Units.Count(outage.Sent - Math.Min(outage.Answered, outage.Sent))} unanswered");
            if (outage.Interrupted)
            {
                surroundings.Out.WriteLine("          the observer was restarted on the way: a longer gap may have been missed");
            }
        }
        else if (upgrade.Ended)
        {
            surroundings.Out.WriteLine("Outage    not measured");
        }
    }

    private void PrintChange(Upgrade upgrade)
    {
        Change("Kernel", upgrade.KernelReleaseBefore, upgrade.KernelReleaseAfter);
        Change("Boot id", upgrade.BootIdBefore, upgrade.BootIdAfter);
        if (upgrade.CpusPresentAfter > 0)
        {
            surroundings.Out.WriteLine($"CPUs      {upgrade.CpusOnlineAfter} of {upgrade.CpusPresentAfter} online");
        }

        if (upgrade.MachineMemoryBytes > 0)
        {
            surroundings.Out.WriteLine($"Memory    {Units.Bytes(upgrade.MachineMemoryOwnedAfter)} of {Units.Bytes(upgrade.MachineMemoryBytes)} owned");
        }
    }

    private void Change(string what, string before, string after)
    {
        if (before.Length > 0 || after.Length > 0)
        {
            surroundings.Out.WriteLine($"{what,-9} {(before.Length > 0 ? before : "?")} -> {(after.Length > 0 ? after : "?")}");
        }
    }

    /// <summary>By kexec and reboot there may be no old kernel to go back to, only its image.</summary>
    private static string OldKernel(Upgrade upgrade) => upgrade.BootIdAfter.Length > 0 && upgrade.BootIdAfter != upgrade.BootIdBefore
        ? "the guest was started again on its old image"
        : "the guest goes on with its old kernel";

    private static string NextAfterFailure(Upgrade upgrade) => upgrade.State == "RolledBack"
        ? $"{OldKernel(upgrade)}; remove the cause, then: twinfleet upgrade start --host {upgrade.Host} --image {upgrade.ImageName} --watch"
        : $"see whether the guest still serves: twinfleet guests list --host {upgrade.Host}; its consoles are logged on the host";
}
