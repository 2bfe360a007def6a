using System.Globalization;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>Who has what of the machine, for people: from the module's queries and sysfs. Takes no lock and waits for no step.</summary>
internal sealed class InspectionReader(ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, GuestNetwork network, StatusReader status)
{
    private const string Functions = "/sys/bus/pci/devices";
    private const string Instances = "/sys/kernel/twinkernel/instances";
    private const string Links = "/sys/kernel/twinkernel/links";
    private const string ThisKernel = "this kernel";

    /// <summary>Memory of which it is known who has it, other than by the machine's ranges.</summary>
    internal readonly record struct Piece(ulong Start, ulong End, string Owner);

    public Wire.Inspection Read()
    {
        Wire.Inspection inspection = new() { Status = status.Read() };
        AddFunctions(inspection);
        AddLinks(inspection);
        try
        {
            MachineView machine = device.Query();
            IReadOnlyList<ClaimedSlot> slots = device.Slots();
            inspection.Cpus.Add(machine.Cpus.Select(cpu => new Wire.Inspection.Types.Cpu
            {
                Number = cpu.Number,
                ApicId = cpu.ApicId,
                Owner = cpu.Online ? ThisKernel : cpu.Instance != 0 ? $"instance {cpu.Instance}" : Elsewhere(machine),
                MachineBoot = cpu.MachineBoot,
            }));
            inspection.Slots.Add(slots.Select(slot => new Wire.Inspection.Types.Slot
            {
                Id = slot.Id,
                Start = slot.Start,
                Bytes = slot.Bytes,
                Window = slot.LowStart,
                Instance = slot.Instance,
                BootReserved = slot.BootReserved,
            }));
            inspection.Memory.Add(Memory(machine, [.. slots.Select(Of), .. Given(machine)])
                .Concat(device.Preserved().Select(piece => new Wire.Inspection.Types.Memory { Start = piece.Start, Bytes = piece.Bytes, Owner = $"preserved: {piece.Name}" }))
                .OrderBy(piece => piece.Start));
        }
        catch (DeviceException error)
        {
            inspection.ModuleError = error.Message;
        }

        return inspection;
    }

    /// <summary>The machine's memory cut at the ends of pieces: what lies in one is its owner's, whatever else it is.</summary>
    internal static IEnumerable<Wire.Inspection.Types.Memory> Memory(MachineView machine, IReadOnlyList<Piece> pieces)
    {
        Wire.Inspection.Types.Memory? last = null;
        foreach (MachineRange range in machine.Ranges.OrderBy(range => range.Start))
        {
            ulong[] cuts = [range.Start, .. pieces.SelectMany(piece => new[] { piece.Start, piece.End }).Where(at => at > range.Start && at < range.End).Order(), range.End];
            foreach ((ulong start, ulong end) in cuts.Zip(cuts.Skip(1)).Where(cut => cut.First < cut.Second))
            {
                string owner = pieces.FirstOrDefault(piece => piece.Start <= start && end <= piece.End).Owner
                    ?? (range.Owned ? ThisKernel : range.Reserved ? "held back" : Elsewhere(machine));
                if (last is not null && last.Owner == owner && last.Start + last.Bytes == start)
                {
                    last.Bytes += end - start;
                    continue;
                }

                if (last is not null)
                {
                    yield return last;
                }

                last = new Wire.Inspection.Types.Memory { Start = start, Bytes = end - start, Owner = owner };
            }
        }

        if (last is not null)
        {
            yield return last;
        }
    }

    internal static Piece Of(ClaimedSlot slot) =>
        new(slot.Start, slot.Start + slot.Bytes, slot.Instance != 0 ? $"instance {slot.Instance}" : $"slot {slot.Id}");

    /// <summary>Blocks that the running instance was given, by the journal: the module counts them only. Those of its slot may be among them.</summary>
    private IEnumerable<Piece> Given(MachineView machine) =>
        journal.Current is { } upgrade && upgrade.Find(Wire.Step.Start)?.Facts.GetValueOrDefault("instance") is { } id && device.Instances().Any(instance => $"{instance.Id}" == id)
            ? upgrade.Blocks.Select(block => new Piece(block.Number * machine.MemoryBlockBytes, (block.Number + 1) * machine.MemoryBlockBytes, $"instance {id}"))
            : [];

    private static string Elsewhere(MachineView machine) => machine.HasParent ? "parent" : "nobody";

    private void AddFunctions(Wire.Inspection inspection)
    {
        Dictionary<string, string> given = files.List(Instances)
            .SelectMany(instance => (files.TryRead($"{Instances}/{instance}/functions") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(address => (address, instance)))
            .ToDictionary(gift => gift.address, gift => $"instance {gift.instance}");
        Dictionary<PciFunction, string> interfaces = network.List().ToDictionary(found => found.Function, found => found.Name);
        foreach (string address in files.List(Functions).Order(StringComparer.Ordinal))
        {
            if (PciFunction.TryParse(address, out PciFunction function))
            {
                inspection.Functions.Add(new Wire.Inspection.Types.Function
                {
                    Address = address,
                    Class = files.TryRead($"{Functions}/{address}/class") ?? "",
                    Driver = Path.GetFileName(files.Resolve($"{Functions}/{address}/driver")) ?? "",
                    NetworkInterface = interfaces.GetValueOrDefault(function, ""),
                    Owner = given.GetValueOrDefault(address, ThisKernel),
                });
            }
        }
    }

    private void AddLinks(Wire.Inspection inspection)
    {
        foreach (string id in files.List(Links).Order(StringComparer.Ordinal))
        {
            Wire.Inspection.Types.Link link = new()
            {
                Instance = uint.TryParse(id, CultureInfo.InvariantCulture, out uint instance) ? instance : 0,
                NetworkInterface = files.TryRead($"{Links}/{id}/interface") ?? "",
                Carrier = files.TryRead($"{Links}/{id}/carrier") == "1",
            };
            foreach (string counter in files.List($"{Links}/{id}").Except(["interface", "carrier", "start", "bytes"]))
            {
                if (ulong.TryParse(files.TryRead($"{Links}/{id}/{counter}"), CultureInfo.InvariantCulture, out ulong value))
                {
                    link.Counters[counter] = value;
                }
            }

            inspection.Links.Add(link);
        }
    }
}
