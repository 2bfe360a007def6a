namespace TwinKernel.Fleet.BootImage;

/// <summary>A range of physical addresses.</summary>
/// <param name="Start">First byte.</param>
/// <param name="Size">Length in bytes.</param>
public readonly record struct PhysicalRange(ulong Start, ulong Size)
{
    /// <summary>The first byte behind the range. Only meaningful when the range does not <see cref="Wraps">wrap</see>.</summary>
    public ulong End => unchecked(Start + Size);

    /// <summary>True when the range reaches beyond the last 64-bit address.</summary>
    public bool Wraps => Size > ulong.MaxValue - Start;

    /// <summary>True when the byte at <paramref name="address"/> lies in the range.</summary>
    public bool Contains(ulong address) => address >= Start && address - Start < Size;

    /// <summary>True when all of <paramref name="other"/> lies in the range; an empty range lies nowhere.</summary>
    public bool Contains(PhysicalRange other) =>
        other.Size != 0 && other.Start >= Start && other.Start - Start < Size && other.Size <= Size - (other.Start - Start);

    /// <summary>True when at least one byte lies in both ranges.</summary>
    public bool Overlaps(PhysicalRange other) =>
        Size != 0 && other.Size != 0 && (Contains(other.Start) || other.Contains(Start));

    /// <summary><c>[0x100000, 0x8000000)</c>.</summary>
    public override string ToString() => $"[0x{Start:x}, 0x{End:x})";
}
