using FsCheck;
using FsCheck.Fluent;

namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class BootPlanProperties
{
    private const ulong MiB = 1 << 20;
    private static readonly byte[] _initrd = SampleRequest.Pattern(8 << 20);

    [Fact]
    public void Should_keep_the_rules_for_every_request_that_fits() =>
        Prop.ForAll(Requests().ToArbitrary(), request => PlanRules.Hold(request, BootPlanner.Plan(request)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    [Fact]
    public void Should_either_keep_the_rules_or_refuse_for_any_slot()
    {
        /* Sizes around what the kernel needs, so that both happen. */
        var requests = from request in Requests()
                       from size in Gen.Choose(0, 40)
                       select request with { Slot = new(request.Slot.Start, (ulong)size * 2 * MiB), HeldBack = [] };
        Prop.ForAll(requests.ToArbitrary(), request =>
        {
            BootPlan plan;
            try
            {
                plan = BootPlanner.Plan(request);
            }
            catch (BootImageException)
            {
                return;
            }

            PlanRules.Hold(request, plan);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
    }

    private static Gen<BootRequest> Requests() =>
        from slotStart in Gen.OneOf(Gen.Choose(1, 2000), Gen.Choose(1, 500_000))
        from slotSize in Gen.Choose(48, 1024)
        from alignment in Gen.Elements(2u << 20, 16u << 20)
        from initSize in Gen.Choose(1, 32)
        from initrdBytes in Gen.Choose(0, _initrd.Length)
        from below in Pieces()
        from above in Pieces()
        from cpus in Gen.Choose(0, 1200).NonEmptyListOf()
        from boot in Gen.Choose(0, 1199)
        from ecam in Gen.Elements<Ecam?>(null, new Ecam(0xb000_0000, 0, 255), new Ecam(0xe000_0000, 0, 63))
        let slot = new PhysicalRange((ulong)slotStart * 2 * MiB, (ulong)slotSize * 2 * MiB)
        let ids = cpus.Distinct().Select(id => (uint)id).ToList()
        select new BootRequest
        {
            Kernel = BzImage.Parse(new SampleImage { Alignment = alignment, InitSize = (uint)initSize << 20 }.Build()),
            Initrd = _initrd.AsMemory(0, initrdBytes),
            CommandLine = "quiet",
            Slot = slot,
            LowWindow = new(0x1_0000, 0x6_0000),
            ApicIds = ids,
            BootApicId = ids[boot % ids.Count],
            TscKhz = 2_000_000,
            HeldBack = [.. Place(below, MiB, slot.Start), .. Place(above, slot.End, ulong.MaxValue)],
            Ecam = ecam,
        };

    /// <summary>Gaps and sizes in pages.</summary>
    private static Gen<IList<(int Gap, int Size)>> Pieces() =>
        from count in Gen.Choose(0, 12)
        from pieces in (from gap in Gen.Choose(0, 3) from size in Gen.Choose(1, 40_000) select (gap, size)).ListOf(count)
        select (IList<(int, int)>)pieces.ToList();

    private static IEnumerable<PhysicalRange> Place(IEnumerable<(int Gap, int Size)> pieces, ulong from, ulong limit)
    {
        foreach (var (gap, size) in pieces)
        {
            var piece = new PhysicalRange(from + ((ulong)gap * 4096), (ulong)size * 4096);
            if (piece.End > limit)
            {
                yield break;
            }

            yield return piece;
            from = piece.End;
        }
    }
}
