using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.Cli.Output;

/// <summary>A guest as it is now: its kernel, who has what of the machine, instances and slots.</summary>
internal sealed class InspectionReport(Surroundings surroundings)
{
    public void Print(InspectGuestResponse answer)
    {
        var output = surroundings.Out;
        var inspection = answer.Inspection;
        var status = inspection.Status;
        output.WriteLine($"Guest {answer.Guest} on {answer.Host}, seen {Units.Moment(answer.Observed)}");
        output.WriteLine($"Kernel    {status.KernelRelease}, {Origin(status)}, up {Units.Nanoseconds(status.UptimeNs)}");
        output.WriteLine($"Boot id   {status.BootId}");
        output.WriteLine($"Network   {(status.NetworkInterface.Length > 0 ? $"{status.NetworkInterface} {status.NetworkAddress}" : "none yet")}");
        if (status.Steps.Count > 0)
        {
            output.WriteLine($"Upgrade   {status.UpgradeId}: {string.Join(", ", status.Steps.Select(step => $"{step.Step} {step.State}".ToLowerInvariant()))}");
        }

        if (inspection.ModuleError.Length > 0)
        {
            output.WriteLine($"Module    does not answer: {inspection.ModuleError}");
        }

        PrintOwners(inspection);
        PrintInstances(status);
        PrintSlots(inspection);
        PrintLinks(inspection);
    }

    private static string Origin(Status status) => status switch
    {
        { HasParent: true, ParentParked: true } => "booted beside another kernel, which is parked",
        { HasParent: true } => "booted beside another kernel, which still runs",
        { TwinBooted: true } => "booted beside another kernel, which is gone",
        _ => "booted by firmware",
    };

    private void PrintOwners(Inspection inspection)
    {
        var listing = new Listing(surroundings.OnTerminal, "OWNER", "CPUS", "MEMORY", "FUNCTIONS").AlignRight(2);
        var owners = inspection.Cpus.Select(cpu => cpu.Owner)
            .Concat(inspection.Memory.Select(piece => piece.Owner)).Concat(inspection.Functions.Select(function => function.Owner)).Distinct();
        foreach (var owner in owners)
        {
            var bytes = inspection.Memory.Where(piece => piece.Owner == owner).Aggregate(0ul, (sum, piece) => sum + piece.Bytes);
            listing.Add(
                owner,
                OrNone(Units.Ranges(inspection.Cpus.Where(cpu => cpu.Owner == owner).Select(cpu => cpu.Number))),
                bytes == 0 ? "-" : Units.Bytes(bytes),
                OrNone(string.Join(", ", inspection.Functions.Where(function => function.Owner == owner && function.Driver.Length > 0).Select(Name))));
        }

        surroundings.Console.Write(listing.Table);
    }

    private void PrintInstances(Status status)
    {
        if (status.Instances.Count > 0)
        {
            var listing = new Listing(surroundings.OnTerminal, "INSTANCE", "STATE", "KERNEL", "CPUS", "SLOT", "LAST BEAT", "IMAGE").AlignRight(5);
            foreach (var instance in status.Instances)
            {
                listing.Add($"{instance.Id}", instance.State, OrNone(instance.KernelRelease), OrNone(Units.Ranges(instance.Cpus)), $"{instance.Slot}", $"{Units.Nanoseconds(instance.BeatAgeNs)} ago", OrNone(Units.Digest(instance.ImageId)));
            }

            surroundings.Console.Write(listing.Table);
        }
    }

    private void PrintSlots(Inspection inspection)
    {
        if (inspection.Slots.Count > 0)
        {
            var listing = new Listing(surroundings.OnTerminal, "SLOT", "START", "SIZE", "WINDOW", "INSTANCE").AlignRight(2);
            foreach (var slot in inspection.Slots)
            {
                listing.Add($"{slot.Id}", $"0x{slot.Start:x}", Units.Bytes(slot.Bytes), $"0x{slot.Window:x}", slot.Instance == 0 ? "-" : $"{slot.Instance}");
            }

            surroundings.Console.Write(listing.Table);
        }
    }

    private void PrintLinks(Inspection inspection)
    {
        if (inspection.Links.Count > 0)
        {
            var listing = new Listing(surroundings.OnTerminal, "LINK TO", "INTERFACE", "CARRIER", "COUNTERS");
            foreach (var link in inspection.Links)
            {
                var counters = link.Counters.Where(counter => counter.Value > 0).OrderBy(counter => counter.Key, StringComparer.Ordinal).Select(counter => $"{counter.Key} {Units.Count(counter.Value)}");
                listing.Add(link.Instance == 0 ? "parent" : $"instance {link.Instance}", OrNone(link.NetworkInterface), link.Carrier ? "up" : "down", OrNone(string.Join(", ", counters)));
            }

            surroundings.Console.Write(listing.Table);
        }
    }

    private static string Name(Inspection.Types.Function function) =>
        $"{function.Address} {(function.NetworkInterface.Length > 0 ? function.NetworkInterface : function.Driver)}";

    private static string OrNone(string text) => text.Length == 0 ? "-" : text;
}
