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
