using System.Buffers.Binary;

namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class AcpiTests
{
    [Fact]
    public void Should_forbid_the_other_kernels_hardware_in_the_fadt()
    {
        var fadt = Tables()["FACP"];
        fadt.Length.ShouldBe(276);
        fadt[8].ShouldBe((byte)6);
        fadt[131].ShouldBe((byte)3, "6.3");
        BinaryPrimitives.ReadUInt16LittleEndian(fadt.AsSpan(109)).ShouldBe((ushort)0b10_0100, "no VGA, no CMOS RTC, MSI allowed");
        BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(112)).ShouldBe((1u << 20) | (1u << 19) | (1u << 5) | (1u << 4));
    }

    [Fact]
    public void Should_list_a_phantom_and_then_every_cpu() =>
        Cpus(Tables()).ShouldBe([(0x7e, 2), (0, 1), (1, 1), (2, 1), (3, 1)]);

    [Fact]
    public void Should_find_a_phantom_that_is_no_cpu()
    {
        Cpus(Tables([1, 0x7e]))[0].ShouldBe((0xfeu, 2u));
        Cpus(Tables([.. Enumerable.Range(0, 255).Select(i => (uint)i)]))[0].ShouldBe((256u, 2u));
    }

    [Fact]
    public void Should_list_high_apic_ids_as_x2apic()
    {
        var madt = Tables([1, 254, 255, 1024]);
        Cpus(madt).Skip(1).ShouldBe([(1, 1), (254, 1), (255, 1), (1024, 1)]);
        madt["APIC"].Length.ShouldBe(44 + (3 * 8) + (2 * 16));
    }

    [Fact]
    public void Should_tell_of_the_ecam_only_when_there_is_one()
    {
        var mcfg = Tables()["MCFG"];
        BinaryPrimitives.ReadUInt64LittleEndian(mcfg.AsSpan(44)).ShouldBe(0xb000_0000ul);
        mcfg[54].ShouldBe((byte)0);
        mcfg[55].ShouldBe((byte)255);

        var without = new BootedMemory(BootPlanner.Plan(SampleRequest.Valid() with { Ecam = null })).Acpi();
        without.Keys.ShouldBe(["RSDP", "XSDT", "FACP", "APIC", "DSDT"], ignoreOrder: true);
    }

    [Fact]
    public void Should_tell_of_the_nodes_in_ascending_order_processors_first()
    {
        var srat = new BootedMemory(BootPlanner.Plan(SampleRequest.Valid() with { Nodes = SampleRequest.TwoNodes(0, 1, 2, 3) })).Acpi()["SRAT"];
        srat.Length.ShouldBe(48 + (4 * 16) + (3 * 40));
        Enumerable.Range(0, 4).Select(i => srat.AsSpan(48 + (16 * i), 5).ToArray()).ShouldBe(
            [[0, 16, 0, 0, 1], [0, 16, 0, 1, 1], [0, 16, 1, 2, 1], [0, 16, 1, 3, 1]]);
        Enumerable.Range(0, 3).Select(i => 112 + (40 * i)).Select(at => (
            Node: BinaryPrimitives.ReadUInt32LittleEndian(srat.AsSpan(at + 2)),
            Start: BinaryPrimitives.ReadUInt64LittleEndian(srat.AsSpan(at + 8)),
            Size: BinaryPrimitives.ReadUInt64LittleEndian(srat.AsSpan(at + 16)),
            Flags: BinaryPrimitives.ReadUInt32LittleEndian(srat.AsSpan(at + 28)))).ShouldBe(
            [(0, 0x1_0000, 0x6_0000, 1), (0, 0x10_0000, 0x3ff0_0000, 1), (1, 0x4000_0000, 0x3ffd_f000, 1)]);
        Tables().Keys.ShouldNotContain("SRAT");
    }

    [Fact]
    public void Should_write_processors_of_one_kind_when_an_id_is_high()
    {
        var request = SampleRequest.Valid() with { ApicIds = [0, 1, 300], BootApicId = 1, Nodes = SampleRequest.TwoNodes(0, 1, 300) };
        var srat = new BootedMemory(BootPlanner.Plan(request)).Acpi()["SRAT"];
        Enumerable.Range(0, 3).Select(i => 48 + (24 * i)).Select(at => (
            Kind: srat[at],
            Node: BinaryPrimitives.ReadUInt32LittleEndian(srat.AsSpan(at + 4)),
            Id: BinaryPrimitives.ReadUInt32LittleEndian(srat.AsSpan(at + 8)))).ShouldBe([((byte)2, 0u, 0u), ((byte)2, 1u, 1u), ((byte)2, 1u, 300u)]);
    }

    internal static IReadOnlyDictionary<string, byte[]> Tables(IReadOnlyList<uint>? apicIds = null) =>
        new BootedMemory(BootPlanner.Plan(apicIds is null ? SampleRequest.Valid() : SampleRequest.Valid() with { ApicIds = apicIds })).Acpi();

    internal static IReadOnlyList<(uint Id, uint Flags)> Cpus(IReadOnlyDictionary<string, byte[]> tables)
    {
        var madt = tables["APIC"];
        var cpus = new List<(uint, uint)>();
        for (var at = 44; at < madt.Length; at += madt[at + 1])
        {
            cpus.Add(madt[at] switch
            {
                0 => (madt[at + 3], BinaryPrimitives.ReadUInt32LittleEndian(madt.AsSpan(at + 4))),
                9 => (BinaryPrimitives.ReadUInt32LittleEndian(madt.AsSpan(at + 4)), BinaryPrimitives.ReadUInt32LittleEndian(madt.AsSpan(at + 8))),
                var type => throw new InvalidOperationException($"an entry of type {type} does not belong here"),
            });
        }

        return cpus;
    }
}
