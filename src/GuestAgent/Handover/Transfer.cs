using System.Diagnostics;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Gives to kernel B, one by one and while this kernel serves: every CPU but one (the machine's boot CPU stays to the end), memory
/// that can be spared if the guest wants that, and every spare network function; on the one that the host has plugged in for it, B serves at once. Each is journalled first and timed on its own, as
/// <c>transfer.cpu.3</c>, <c>transfer.memory.12</c>, <c>transfer.function.0000:01:00.0</c>; a repeated step goes on where the last stopped.
/// </summary>
public sealed class Transfer(
    ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, MemoryBlocks memory, CpuSwitch cpus, GuestNetwork network, TwinInstances instances, TwinLink link)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan OptionalPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    /// <param name="card">What the host has plugged in for kernel B; null: nothing.</param>
    /// <exception cref="StepFailure">Something did not go over. What went stays there until a roll-back.</exception>
    public void Run(StepContext context, Wire.StandbyCard? card)
    {
        RunningInstance instance = instances.OfUpgrade();
        GiveCpus(context, instance);
        GiveMemory(context, instance);
        GiveFunctions(context, instance, card);
        context.Facts["cpus.given"] = $"{device.Query().Cpus.Count(cpu => cpu.Instance == instance.Id)}";
    }

    private void GiveCpus(StepContext context, RunningInstance instance)
    {
        MachineCpu[] all = [.. device.Query().Cpus];
        MachineCpu[] online = [.. all.Where(cpu => cpu.Online).OrderBy(cpu => cpu.MachineBoot ? 0 : 1).ThenBy(cpu => cpu.Number)];

        // An agent that was killed between "offline here" and "online there" left a CPU with nobody.
        foreach (MachineCpu cpu in all.Where(cpu => !cpu.Online && journal.Current!.Cpus.Contains(cpu.Number)).Concat(online.Skip(1).Reverse()))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Measure($"cpu.{cpu.Number}", () => GiveCpu(context, instance, cpu));
        }
    }

    private void GiveCpu(StepContext context, RunningInstance instance, MachineCpu cpu)
    {
        if (cpu.Online)
        {
            journal.Takes(cpu.Number);
            try
            {
                cpus.Set(cpu.Number, online: false);
            }
            catch (IOException error)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.CpuOfflineFailed, $"CPU {cpu.Number} does not go offline: {error.Message}", error);
            }
        }

        if (cpu.Instance == 0)
        {
            device.GiveCpu(instance.Id, cpu.Number);
        }

        Ask(context, instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.OnlineCpu, ApicId = cpu.ApicId });
    }

    private void GiveMemory(StepContext context, RunningInstance instance)
    {
        ulong blockBytes = memory.BlockBytes();
        (ulong start, ulong end) = device.Slots().Where(slot => slot.Id == instance.Slot).Select(slot => (slot.Start, slot.Start + slot.Bytes)).First();
        uint[] begun = [.. journal.Current!.Blocks.Select(block => block.Number).Where(number => number * blockBytes < start || number * blockBytes >= end)];
        SpareMemory spare = new(files, memory);
        int given = 0, refused = 0;
        foreach (uint block in begun.Concat(spare.Blocks(begun)))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (refused == SpareMemory.MostRefusals || (!begun.Contains(block) && !spare.CanSpare(blockBytes)))
            {
                break;
            }

            bool done = context.Measure($"memory.{block}", () => GiveBlock(context, instance, block, blockBytes));
            (given, refused) = done ? (given + 1, refused) : (given, refused + 1);
        }

        context.Facts["memory.given"] = $"{(ulong)given * blockBytes}";
    }

    /// <summary>False: the block is needed here, or kernel B cannot take it; it is this kernel's again.</summary>
    private bool GiveBlock(StepContext context, RunningInstance instance, uint block, ulong blockBytes)
    {
        bool given = false;
        journal.Takes(new TakenBlock(block, memory.IsMovableZone(block)));
        try
        {
            memory.Set(block, "offline");
            device.GiveMemory(instance.Id, block * blockBytes, blockBytes);
            given = true;
            Ask(context, instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.AdoptMemory, Start = block * blockBytes, Bytes = blockBytes });
            return true;
        }
        catch (Exception error) when (error is IOException || (error is StepFailure failure && failure.Reason == Reasons.Device))
        {
            if (given)
            {
                device.TakeMemory(instance.Id, block * blockBytes, blockBytes);
            }

            memory.Set(block, journal.Current!.Blocks.Find(taken => taken.Number == block)!.Movable ? "online_movable" : "online");
            journal.ReturnsBlock(block);
            return false;
        }
    }

    private void GiveFunctions(StepContext context, RunningInstance instance, Wire.StandbyCard? card)
    {
        TakenFunction[] begun = [.. journal.Current!.Functions];
        if (card is not null && !begun.Any(taken => taken.Mac == card.Mac))
        {
            try
            {
                context.Measure("card", () => AwaitSpare(context, card));
            }
            catch (StepFailure missing) when (card.Optional)
            {
                // A kernel that was itself booted beside another has no driver for the slot.
                context.Facts["card.missing"] = missing.Message;
            }
        }

        IEnumerable<TakenFunction> spare = network.Spare().Select(found => new TakenFunction(found.Function.ToString(), found.Driver, found.Mac));
        foreach (TakenFunction function in begun.UnionBy(spare, each => each.Function).ToArray())
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Measure($"function.{function.Function}", () => GiveFunction(context, instance, function, card?.Mac == function.Mac ? card : null));
        }

        if (card is not null && journal.Current!.Functions.Any(taken => taken.Mac == card.Mac))
        {
            context.Facts["card.serves"] = card.Network;
        }

        context.Facts["functions.given"] = string.Join(' ', journal.Current!.Functions.Select(function => function.Function));
    }

    /// <summary>This kernel learns of a card by an interrupt, some time after the host has plugged it in.</summary>
    private void AwaitSpare(StepContext context, Wire.StandbyCard card)
    {
        long started = Stopwatch.GetTimestamp();
        TimeSpan patience = card.Optional ? OptionalPatience : Patience;
        while (!network.Spare().Any(found => found.Mac == card.Mac))
        {
            if (Stopwatch.GetElapsedTime(started) > patience)
            {
                throw new StepFailure(StatusCode.DeadlineExceeded, Reasons.Device,
                    $"The card {card.Mac}, which the host has plugged in, is not to be had after {patience.TotalSeconds:0} s: this kernel sees no interface with that address, or uses it.");
            }

            context.Cancellation.WaitHandle.WaitOne(Interval);
            context.Cancellation.ThrowIfCancellationRequested();
        }
    }

    private void GiveFunction(StepContext context, RunningInstance instance, TakenFunction taken, Wire.StandbyCard? card)
    {
        PciFunction.TryParse(taken.Function, out PciFunction function);
        journal.Takes(taken);
        if (Path.GetFileName(files.Resolve($"/sys/bus/pci/devices/{taken.Function}/driver")) == taken.Driver)
        {
            files.Write($"/sys/bus/pci/drivers/{taken.Driver}/unbind", taken.Function);
        }

        device.GiveFunction(instance.Id, function);
        Ask(context, instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.AdoptFunction, Function = function, Mac = card?.Mac, Network = card?.Network, Peer = card?.Peer });
    }

    private void Ask(StepContext context, RunningInstance instance, LinkMessage question) => link.Ask(instance.Id, question, Patience, context.Cancellation);
}
