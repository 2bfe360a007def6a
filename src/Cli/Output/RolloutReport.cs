using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Output;

/// <summary>A plan, and a rollout in full.</summary>
internal sealed class RolloutReport(Surroundings surroundings)
{
    public static ulong Count(Rollout rollout, string state) => (ulong)rollout.Waves.Sum(wave => wave.States.GetValueOrDefault(state));

    public void Print(RolloutPlan plan)
    {
        var output = surroundings.Out;
        output.WriteLine($"Plan {plan.Hash}");
        output.WriteLine($"Image     {plan.ImageName} ({Units.Digest(plan.Image)})");
        output.WriteLine($"Ends      {(plan.Ends is null ? "nothing would be upgraded" : $"about {Units.Moment(plan.Ends)}, if all goes well")}");
        var listing = new Listing(surroundings.OnTerminal, "WAVE", "GUEST", "STARTS", "ENDS", "IN THE WAY");
        foreach (var wave in plan.Waves)
        {
            foreach (var guest in wave.Guests)
            {
                listing.Add(wave.Name, $"{guest.Host}/{guest.Guest}", Moment(guest.Starts), Moment(guest.Ends), string.Join(' ', guest.Blockers));
            }
        }

        surroundings.Console.Write(listing.Table);
        foreach (var note in plan.Notes)
        {
            output.WriteLine($"Note: {note}");
        }
    }

    public void Print(Rollout rollout)
    {
        var output = surroundings.Out;
        output.WriteLine($"Rollout {rollout.Name} ({rollout.Id}): {rollout.State}{(rollout.Reason.Length > 0 ? $", {rollout.Reason}" : "")}");
        output.WriteLine($"Image     {rollout.ImageName} ({Units.Digest(rollout.Image)})");
        output.WriteLine($"Plan      {rollout.PlanHash}");
        output.WriteLine($"Made      {Units.Moment(rollout.Created)} by {rollout.CreatedBy}{(rollout.Started is null ? "" : $", started {Units.Moment(rollout.Started)}")}{(rollout.Finished is null ? "" : $", ended {Units.Moment(rollout.Finished)}")}");
        foreach (var approval in rollout.Approvals)
        {
            output.WriteLine($"Approved  {Units.Moment(approval.Approved)} by {approval.ApprovedBy}, until {Units.Moment(approval.Expires)}");
        }

        if (rollout.WaitsFor.Length > 0)
        {
            output.WriteLine($"Now       {rollout.WaitsFor}");
        }

        var waves = new Listing(surroundings.OnTerminal, "WAVE", "NAME", "GUESTS", "STATES", "STARTED", "ENDED").AlignRight(2);
        foreach (var wave in rollout.Waves)
        {
            waves.Add($"{wave.Number}", wave.Name, Units.Count(wave.Guests),
                string.Join(", ", wave.States.OrderBy(state => state.Key, StringComparer.Ordinal).Select(state => $"{state.Value} {state.Key}")), Moment(wave.Started), Moment(wave.Ended));
        }

        surroundings.Console.Write(waves.Table);
        if (rollout.Members.Count > 0)
        {
            var members = new Listing(surroundings.OnTerminal, "GUEST", "WAVE", "STATE", "ATTEMPT", "UPGRADE", "WHY").AlignRight(1).AlignRight(3);
            foreach (var member in rollout.Members)
            {
                members.Add($"{member.Host}/{member.Guest}", $"{member.Wave}", member.State, $"{member.Attempt}", member.Upgrade.Length > 0 ? member.Upgrade : "-", member.Why);
            }

            surroundings.Console.Write(members.Table);
        }

        foreach (var gate in rollout.Gates)
        {
            output.WriteLine($"Gate {gate.Name} after wave {gate.Wave}: {gate.State}{(gate.Why.Length > 0 ? $", {gate.Why}" : "")}; {(gate.Answers.Count > 0 ? gate.Answers[^1] : "not asked yet")}");
        }
    }

    private static string Moment(Google.Protobuf.WellKnownTypes.Timestamp? moment) => moment is null ? "-" : Units.Moment(moment);
}
