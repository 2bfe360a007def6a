using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Tests.Machine;

/// <summary>Which memory becomes a slot, and what becomes of the rest.</summary>
public sealed class MemoryTests
{
    private const ulong Block = 128ul << 20;

    private static readonly Gen<bool> Mostly = Gen.Frequency((5, Gen.Constant(true)), (1, Gen.Constant(false)));

    private static readonly Gen<MemoryBlock[]> Blocks = Gen.ArrayOf(
            from number in Gen.Choose(0, 40)
            from online in Mostly
            from movable in Mostly
            from node in Gen.Frequency((9, Gen.Constant(0u)), (1, Gen.Constant(1u)))
            select new MemoryBlock((uint)number, online, movable, Node: node))
        .Select(all => all.DistinctBy(block => block.Number).ToArray());

    /// <summary>Sorted ranges that do not overlap, some of which touch, on page boundaries or not.</summary>
    private static readonly Gen<MachineRange[]> Machines = Gen.ArrayOf(
            from gap in Gen.Choose(0, 1 << 18)
            from pages in Gen.Choose(1, 1 << 18)
            from kind in Gen.Choose(0, 2)
            from odd in Gen.Elements(0ul, 0x400ul)
            select (gap, pages, kind, odd))
        .Select(all =>
        {
            List<MachineRange> ranges = [];
            ulong at = 0x1000;
            foreach ((int gap, int pages, int kind, ulong odd) in all)
            {
                at += kind == 0 ? 0 : (ulong)gap << 12;
                ulong size = ((ulong)pages << 12) + odd;
                ranges.Add(new MachineRange(at, size, kind == 1, kind == 2));
                at += size;
            }

            return ranges.ToArray();
        });

    [Fact]
    public void Every_candidate_is_a_run_of_usable_blocks_and_every_such_run_is_a_candidate() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
        (from blocks in Blocks
         from count in Gen.Choose(1, 5)
         from refusedNumbers in Gen.ArrayOf(Gen.Choose(0, 40))
         select (blocks, count, refusedNumbers)).ToArbitrary(), input =>
        {
            (MemoryBlock[] blocks, int count, int[] refusedNumbers) = input;
            HashSet<uint> refused = [.. refusedNumbers.Select(number => (uint)number)];
            uint[] found = [.. MemoryRuns.Candidates(blocks, Block, count, refused)];
            bool Usable(uint number) => number > 0 && number < 32 && !refused.Contains(number) && blocks.Any(block => block.Number == number && block.Online && block.Movable);
            uint Node(uint number) => blocks.First(block => block.Number == number).Node;
            uint[] expected = [.. Enumerable.Range(0, 41).Select(first => (uint)first)
                .Where(first => Enumerable.Range(0, count).Select(offset => first + (uint)offset).All(block => Usable(block) && Node(block) == Node(first)))];
            return found.SequenceEqual(expected);
        }));

    [Fact]
    public void Runs_of_movable_zones_come_first()
    {
        MemoryBlock[] blocks = [.. Enumerable.Range(0, 8).Select(number => new MemoryBlock((uint)number, Online: true, Movable: true, MovableZone: number is 5 or 6))];
        MemoryRuns.Candidates(blocks, Block, 2, new HashSet<uint>()).ShouldBe([5u, 1u, 2u, 3u, 4u, 6u]);
    }

    [Fact]
    public void Runs_of_the_node_that_is_asked_for_come_first_then_those_of_others()
    {
        MemoryBlock[] blocks = [.. Enumerable.Range(0, 8).Select(number => new MemoryBlock((uint)number, Online: true, Movable: true, MovableZone: number is 1 or 2, Node: number < 4 ? 0u : 1u))];
        MemoryRuns.Candidates(blocks, Block, 2, new HashSet<uint>(), node: 1).ShouldBe([4u, 5u, 6u, 1u, 2u]);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(128 << 20, 1)]
    [InlineData((128 << 20) + 1, 2)]
    [InlineData(384 << 20, 3)]
    public void A_slot_is_rounded_up_to_blocks(ulong bytes, int blocks) => MemoryRuns.BlocksFor(bytes, Block).ShouldBe(blocks);

    [Fact]
    public void Held_back_and_whole_blocks_are_the_machine_without_slot_and_low_memory() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
        (from machine in Machines
         from first in Gen.Choose(1, 30)
         from count in Gen.Choose(1, 5)
         select (machine, first, count)).ToArbitrary(), input =>
        {
            (MachineRange[] machine, int first, int count) = input;
            (ulong Start, ulong End) slot = ((ulong)first * Block, (ulong)(first + count) * Block);
            MachineMemory memory = MachineMemory.Around(slot, machine, Block);
            (ulong Start, ulong End)[] all = [.. memory.HeldBack.Concat(memory.WholeBlocks).Order()];
            bool InMachine(ulong page) => machine.Any(range => range.Start <= page && page < range.End);
            bool InResult(ulong page) => all.Any(range => range.Start <= page && page < range.End);
            return all.All(range => range.Start < range.End && range.Start >= MachineMemory.Floor && (range.End <= slot.Start || range.Start >= slot.End)
                    && range.Start % 4096 == 0 && range.End % 4096 == 0 && InMachine(range.Start) && InMachine(range.End - 1))
                && all.Zip(all.Skip(1)).All(pair => pair.First.End <= pair.Second.Start)
                && memory.WholeBlocks.All(range => range.Start % Block == 0 && range.End % Block == 0)
                && memory.HeldBack.All(range => (range.Start + Block - 1) / Block * Block + Block > range.End)
                && machine.Select(range => (range.Start + 0xfff) & ~0xffful)
                    .Where(page => page >= MachineMemory.Floor && (page < slot.Start || page >= slot.End) && InMachine(page) && InMachine(page + 4095))
                    .All(InResult);
        }));

    [Fact]
    public void Two_gigabytes_of_a_q35_machine()
    {
        MachineMemory memory = MachineMemory.Around((Block, 4 * Block),
        [
            new MachineRange(0x1000, 0x9e000, true, false),
            new MachineRange(0x10_0000, 0x7ff0_0000 - 0x24000, true, false),
        ], Block);
        memory.HeldBack.ShouldBe([(0x10_0000, Block), (15 * Block, (16 * Block) - 0x24000)]);
        memory.WholeBlocks.ShouldBe([(4 * Block, 15 * Block)]);
    }

    [Fact]
    public void The_tables_at_the_end_of_the_slot_are_not_missing()
    {
        MachineRange[] machine = [new(0x10_0000, Block - 0x10_0000, false, true), new(Block, Block - 0x10_0000, true, false), new((2 * Block) - 0x10_0000, Block + 0x10_0000, false, false)];
        MachineMemory.Missing(machine, (2 * Block) - 0x10000).ShouldBe([(0x10_0000, Block, true), (2 * Block, 3 * Block, false)]);
        MachineMemory.Sum(machine).ShouldBe(((3 * Block) - 0x10_0000, Block - 0x10_0000));
    }
}
