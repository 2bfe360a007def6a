namespace TwinKernel.Fleet.BootImage.Tests;

internal static class SampleRequest
{
    public const ulong MiB = 1 << 20;

    /// <summary>A request as for a 2 GiB machine with 128 MiB blocks.</summary>
    public static BootRequest Valid(SampleImage? image = null) => new()
    {
        Kernel = BzImage.Parse((image ?? new SampleImage()).Build()),
        Initrd = Pattern(300_000),
        CommandLine = "console=ttyS0,115200 panic=-1 quiet",
        Slot = new(0x2000_0000, 384 * MiB),
        LowWindow = new(0x1_0000, 0x6_0000),
        ApicIds = [3, 0, 1, 2],
        BootApicId = 1,
        TscKhz = 2_499_990,
        HeldBack = [new(0x7800_0000, 0x7fd_f000), new(MiB, 127 * MiB)],
        Ecam = new Ecam(0xb000_0000, 0, 255),
    };

    /// <summary>Two nodes, half of the CPUs and half of the memory on each.</summary>
    public static NumaNodes TwoNodes(params uint[] apicIds) => new(
        apicIds.Order().Select((id, index) => (id, index)).ToDictionary(cpu => cpu.id, cpu => cpu.index < apicIds.Length / 2 ? 0u : 1u),
        [
            new(1, new(0x6000_0000, 0x1ffd_f000)), new(0, new(0x1_0000, 0x6_0000)), new(0, new(MiB, 0x3ff0_0000)), new(1, new(0x4000_0000, 0x2000_0000)),
        ]);

    public static byte[] Pattern(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 7))];
}
