using System.Text;
using TwinKernel.Fleet.GuestAgent.Probation;

namespace TwinKernel.Fleet.GuestAgent.Tests.Probation;

public sealed class WriteJournalTests : IDisposable
{
    private const int Published = 64;
    private const int Records = 128;
    private static readonly Guid Kernel = Guid.Parse("11111111-2222-3333-4444-555555555555");
    private readonly MappedJournal _memory = new(4096);

    [Fact]
    public void What_was_appended_is_found_by_the_other_kernel()
    {
        _memory.Journal.IsLaidOut.ShouldBeFalse();
        _memory.Journal.LayOut(Kernel, 1000);
        _memory.Journal.Append("one"u8);
        _memory.Journal.Append("two and more"u8);
        _memory.Journal.End.ShouldBe(1015);

        WriteJournal seen = _memory.Again();
        seen.IsLaidOut.ShouldBeTrue();
        seen.ReplayedBy.ShouldBe(Kernel);
        (seen.Start, seen.End).ShouldBe((1000, 1015));
        Encoding.ASCII.GetString(seen.Contents(out long damaged)).ShouldBe("onetwo and more");
        damaged.ShouldBe(0);

        seen.Append("!"u8);
        Encoding.ASCII.GetString(_memory.Again().Contents(out _)).ShouldBe("onetwo and more!");
        seen.Discard();
        _memory.Again().IsLaidOut.ShouldBeFalse();
        seen.LayOut(Kernel, 7);
        (seen.End, seen.Contents(out _).Length).ShouldBe((7, 0));
    }

    /// <summary>A processor that is reset anywhere within an append leaves some of its stores behind, in their order.</summary>
    [Fact]
    public void What_was_not_published_is_not_there()
    {
        _memory.Journal.LayOut(Kernel, 0);
        _memory.Journal.Append("whole"u8);
        byte[] before = _memory.Memory.ToArray();
        _memory.Journal.Append("the half that was under way"u8);
        byte[] after = _memory.Memory.ToArray();
        int[] changed = [.. Enumerable.Range(0, after.Length).Where(i => after[i] != before[i])];
        changed.Length.ShouldBeGreaterThan(20);
        foreach (int stores in Enumerable.Range(0, changed.Count(i => i >= Records) + 1))
        {
            before.CopyTo(_memory.Memory);
            foreach (int i in changed.Where(i => i >= Records).Take(stores))
            {
                _memory.Memory[i] = after[i];
            }

            Encoding.ASCII.GetString(_memory.Again().Contents(out long damaged)).ShouldBe("whole");
            damaged.ShouldBe(0);
        }
    }

    [Fact]
    public void What_was_overwritten_is_told_and_what_is_before_it_kept()
    {
        _memory.Journal.LayOut(Kernel, 0);
        _memory.Journal.Append("good"u8);
        _memory.Journal.Append("bad and lost"u8);
        _memory.Journal.Append("behind"u8);
        _memory.Memory[Records + 16 + 8 + 3] ^= 0x10;
        Encoding.ASCII.GetString(_memory.Again().Contents(out long damaged)).ShouldBe("good");
        damaged.ShouldBe(24 + 16);

        _memory.Memory[24] ^= 1; // The start.
        _memory.Again().IsLaidOut.ShouldBeFalse();
    }

    /// <summary>No byte of it makes the reader leave the memory or fail.</summary>
    [Fact]
    public void Nonsense_is_no_contents()
    {
        Random random = new(7);
        for (int round = 0; round < 500; round++)
        {
            _memory.Journal.LayOut(Kernel, 0);
            _memory.Journal.Append("something"u8);
            random.NextBytes(_memory.Memory[(round % 2 == 0 ? Published : Records)..]);
            _memory.Again().Contents(out _).Length.ShouldBeLessThanOrEqualTo("something".Length);
        }
    }

    [Fact]
    public void Full_is_told_before_it_is_and_refuses_the_whole_of_what_does_not_fit()
    {
        _memory.Journal.LayOut(Kernel, 0);
        byte[] record = new byte[92]; // With its header, padded: 104.
        int fit = 0;
        while (!_memory.Journal.IsNearlyFull)
        {
            _memory.Journal.Append(record);
            fit++;
        }

        ((fit * 104.0) / (4096 - Records)).ShouldBeInRange(7 / 8.0, 0.92);
        Should.Throw<IOException>(() => _memory.Journal.Append(new byte[4096])).Message.ShouldContain("full");
        _memory.Journal.End.ShouldBe(fit * 92);
        _memory.Again().Contents(out long damaged).Length.ShouldBe(fit * 92);
        damaged.ShouldBe(0);
    }

    public void Dispose() => _memory.Dispose();
}
