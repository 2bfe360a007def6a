using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using static TwinKernel.Fleet.BootImage.Violations;

namespace TwinKernel.Fleet.BootImage;

/// <summary>Reads the setup header; nothing it reads is used as an offset or a length before it is checked.</summary>
internal static class BzImageReader
{
    private const int MaxVersionLength = 512;

    public static BzImage Read(ReadOnlyMemory<byte> beginning, long totalBytes)
    {
        var violations = new Violations("not a kernel image that can be twin booted");
        var data = beginning.Span;
        totalBytes = Math.Max(totalBytes, 0);

        violations.Require(data.Length >= SetupHeader.End, "image", $"at least {SetupHeader.End} bytes", $"{data.Length}");
        violations.ThrowIfAny();

        var bootFlag = U16(data, SetupHeader.BootFlag);
        var magic = U32(data, SetupHeader.Magic);
        violations.Require(bootFlag == SetupHeader.BootFlagValue, "boot_flag", Hex(SetupHeader.BootFlagValue), Hex(bootFlag));
        violations.Require(magic == SetupHeader.MagicValue, "header", "\"HdrS\" (0x53726448)", Hex(magic));
        violations.ThrowIfAny(); /* No other field means anything without these two. */

        var protocol = U16(data, SetupHeader.Version);
        violations.Require(protocol >= SetupHeader.Protocol214, "version", "boot protocol 2.14 (0x20e) or later", Hex(protocol));
        violations.ThrowIfAny(); /* Fields below may not exist in an older header. */

        var headerEnd = SetupHeader.Magic + data[SetupHeader.Jump];
        violations.Require(headerEnd is >= SetupHeader.End and <= SetupHeader.EndInBootParams, "jump",
            $"a header that ends from {Hex(SetupHeader.End)} to {Hex(SetupHeader.EndInBootParams)}", Hex((ulong)headerEnd));
        violations.Require(headerEnd <= data.Length, "image", $"{headerEnd} bytes of header", $"{data.Length}");

        var xLoadFlags = U16(data, SetupHeader.XLoadFlags);
        violations.Require((xLoadFlags & SetupHeader.XlfKernel64) != 0, "xloadflags",
            "XLF_KERNEL_64 (bit 0), the 64-bit entry", Hex(xLoadFlags));
        violations.Require((data[SetupHeader.LoadFlags] & SetupHeader.LoadedHigh) != 0, "loadflags",
            "LOADED_HIGH (bit 0), a bzImage", Hex(data[SetupHeader.LoadFlags]));

        /* For compatibility, 0 means 4. */
        var setupSectors = data[SetupHeader.SetupSectors] == 0 ? 4 : data[SetupHeader.SetupSectors];
        var setupBytes = (setupSectors + 1) * SetupHeader.SectorSize;
        var payloadBytes = (long)U32(data, SetupHeader.SysSize) * 16;
        violations.Require(setupBytes <= totalBytes, "setup_sects",
            $"{setupBytes} bytes of setup in the image", $"{totalBytes} (truncated)");
        violations.Require(payloadBytes >= 2 * SetupHeader.Entry64, "syssize",
            $"a kernel that contains its entry at {Hex(SetupHeader.Entry64)}", $"{payloadBytes} bytes");
        violations.Require(payloadBytes <= int.MaxValue, "syssize", "a kernel below 2 GiB", $"{payloadBytes} bytes");
        violations.Require(setupBytes > totalBytes || payloadBytes <= totalBytes - setupBytes, "syssize",
            $"{payloadBytes} bytes of kernel behind {setupBytes} bytes of setup", $"{totalBytes - setupBytes} (truncated)");

        var payloadOffset = U32(data, SetupHeader.PayloadOffset);
        var payloadLength = U32(data, SetupHeader.PayloadLength);
        violations.Require((long)payloadOffset + payloadLength <= payloadBytes, "payload_length",
            $"an end within the {payloadBytes} bytes of kernel", $"{payloadOffset} + {payloadLength}");

        var initSize = U32(data, SetupHeader.InitSize);
        violations.Require(initSize >= payloadBytes, "init_size", $"at least the {payloadBytes} bytes of kernel", $"{initSize}");

        var alignment = U32(data, SetupHeader.KernelAlignment);
        violations.Require(BitOperations.IsPow2(alignment) && alignment is >= 0x1000 and <= 0x4000_0000, "kernel_alignment",
            "a power of two from 4 KiB to 1 GiB", Hex(alignment));

        var preferred = U64(data, SetupHeader.PreferredAddress);
        violations.Require(preferred < BootPlanner.AddressLimit && (preferred & 0xfff) == 0, "pref_address",
            $"a page below {Hex(BootPlanner.AddressLimit)}", Hex(preferred));

        var commandLineSize = U32(data, SetupHeader.CommandLineSize);
        violations.Require(commandLineSize is > 0 and <= 0x10_0000, "cmdline_size", "1 byte to 1 MiB", $"{commandLineSize}");

        var kernelVersion = ReadVersion(data, setupBytes, violations);
        violations.ThrowIfAny();

        return new BzImage
        {
            ProtocolVersion = protocol,
            SetupBytes = setupBytes,
            InitSize = initSize,
            PreferredAddress = preferred,
            Alignment = alignment,
            Relocatable = data[SetupHeader.Relocatable] != 0,
            InitrdAddressMax = U32(data, SetupHeader.InitrdAddressMax),
            CommandLineSize = commandLineSize,
            XLoadFlags = xLoadFlags,
            KernelVersion = kernelVersion,
            PayloadBytes = payloadBytes,
            Payload = ReadOnlyMemory<byte>.Empty,
            Header = beginning[SetupHeader.Start..headerEnd],
        };
    }

    private static string ReadVersion(ReadOnlySpan<byte> data, int setupBytes, Violations violations)
    {
        var pointer = U16(data, SetupHeader.KernelVersion);
        if (pointer == 0)
        {
            return "";
        }

        var limit = Math.Min(setupBytes, data.Length);
        var start = pointer + SetupHeader.SectorSize;
        if (start >= limit)
        {
            violations.Add("kernel_version", $"an offset below {Hex((ulong)Math.Max(0, limit - SetupHeader.SectorSize))}", Hex(pointer));
            return "";
        }

        var text = data[start..Math.Min(limit, start + MaxVersionLength)];
        var end = text.IndexOf((byte)0);
        if (end < 0 || text[..end].ContainsAnyExceptInRange((byte)' ', (byte)'~'))
        {
            violations.Add("kernel_version", $"at most {MaxVersionLength - 1} printable ASCII characters and a NUL",
                end < 0 ? "no NUL" : "other bytes");
            return "";
        }

        return Encoding.ASCII.GetString(text[..end]);
    }

    private static ushort U16(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(data[offset..]);

    private static uint U32(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(data[offset..]);

    private static ulong U64(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(data[offset..]);
}
