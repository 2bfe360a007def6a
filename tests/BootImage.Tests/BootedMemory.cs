using System.Buffers.Binary;
using System.Text;

namespace TwinKernel.Fleet.BootImage.Tests;

/// <summary>Reads a plan back the way a kernel would: by physical address, knowing only what the CPU is started with.</summary>
internal sealed class BootedMemory(BootPlan plan)
{
    public ReadOnlyMemory<byte> Read(ulong address, int length)
    {
        var segment = plan.Segments.SingleOrDefault(s => s.Range.Contains(new PhysicalRange(address, (ulong)length)))
            ?? throw new InvalidOperationException($"nothing was written to 0x{address:x}+{length}");
        return segment.Bytes.Slice((int)(address - segment.Address), length);
    }

    public byte U8(ulong address) => Read(address, 1).Span[0];

    public ushort U16(ulong address) => BinaryPrimitives.ReadUInt16LittleEndian(Read(address, 2).Span);

    public uint U32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Read(address, 4).Span);

    public ulong U64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Read(address, 8).Span);

    public ulong Header64(int low, int high) => U32(plan.BootParams + (ulong)low) | ((ulong)U32(plan.BootParams + (ulong)high) << 32);

    public ulong CommandLineAddress => Header64(0x228, 0x0c8);

    public PhysicalRange Initrd => new(Header64(0x218, 0x0c0), Header64(0x21c, 0x0c4));

    public string CommandLine
    {
        get
        {
            var text = new StringBuilder();
            for (var at = CommandLineAddress; U8(at) != 0; at++)
            {
                text.Append((char)U8(at));
            }

            return text.ToString();
        }
    }

    public IReadOnlyList<MemoryMapEntry> E820() =>
    [
        .. Enumerable.Range(0, U8(plan.BootParams + 0x1e8)).Select(i => plan.BootParams + 0x2d0 + (ulong)(20 * i))
            .Select(at => new MemoryMapEntry(new(U64(at), U64(at + 8)), (MemoryType)U32(at + 16))),
    ];

    /// <summary>What the kernel reserves for the list of setup_data: the nodes, and what SETUP_INDIRECT nodes point at.</summary>
    public (IReadOnlyList<PhysicalRange> Nodes, IReadOnlyList<PhysicalRange> Reserved) SetupData()
    {
        var nodes = new List<PhysicalRange>();
        var reserved = new List<PhysicalRange>();
        for (var at = U64(plan.BootParams + 0x250); at != 0; at = U64(at))
        {
            nodes.Count.ShouldBeLessThan(1000, "the list must end");
            U32(at + 8).ShouldBe(0x8000_0000u);
            nodes.Add(new(at, 16UL + U32(at + 12)));
            U32(at + 16).ShouldNotBe(0x8000_0000u, "an indirection to an indirection is ignored");
            (U32(at + 16) & 0x8000_0000).ShouldBe(0x8000_0000u);
            U32(at + 20).ShouldBe(0u);
            reserved.Add(new(U64(at + 32), U64(at + 24)));
        }

        return (nodes, reserved);
    }

    /// <summary>Where the page tables lead an address; null when they do not map it.</summary>
    public ulong? Translate(ulong address)
    {
        var table = plan.PageTable;
        for (var shift = 39; ; shift -= 9)
        {
            var entry = U64(table + (((address >> shift) & 511) * 8));
            if ((entry & 3) != 3)
            {
                return null;
            }

            var target = entry & 0x000f_ffff_ffff_f000;
            if ((entry & 0x80) != 0)
            {
                return target | (address & ((1UL << shift) - 1));
            }

            shift.ShouldBeGreaterThan(12);
            table = target;
        }
    }

    /// <summary>All ACPI tables by signature, found from the RSDP in boot_params, checksums checked.</summary>
    public IReadOnlyDictionary<string, byte[]> Acpi()
    {
        var tables = new Dictionary<string, byte[]>();
        var rsdp = U64(plan.BootParams + 0x070);
        tables["RSDP"] = Read(rsdp, 36).ToArray();
        Sum(tables["RSDP"].AsSpan(0, 20)).ShouldBe((byte)0);
        Sum(tables["RSDP"]).ShouldBe((byte)0);
        var xsdt = Table(U64(rsdp + 24));
        for (var i = 36; i < xsdt.Length; i += 8)
        {
            Table(BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(i)));
        }

        Table(BinaryPrimitives.ReadUInt64LittleEndian(tables["FACP"].AsSpan(140)));
        return tables;

        byte[] Table(ulong at)
        {
            var table = Read(at, (int)U32(at + 4)).ToArray();
            Sum(table).ShouldBe((byte)0);
            tables.Add(Encoding.ASCII.GetString(table, 0, 4), table);
            return table;
        }
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (var b in bytes)
        {
            sum = unchecked((byte)(sum + b));
        }

        return sum;
    }
}
