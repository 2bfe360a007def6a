using System.Runtime.CompilerServices;

namespace TwinKernel.Fleet.BootImage.Tests;

/// <summary>The kernels that the images are built from, when they are there (TWIN_KERNELS_DIR, or state/kernels).</summary>
public sealed class DebianKernelTests
{
    [Fact]
    public void Should_plan_a_boot_of_every_stock_kernel()
    {
        var directory = Environment.GetEnvironmentVariable("TWIN_KERNELS_DIR") is { Length: > 0 } set ? set : Path.Combine(Repository(), "state", "kernels");
        var kernels = Directory.Exists(directory)
            ? Directory.GetFiles(directory, "vmlinuz-*", SearchOption.AllDirectories).Where(path => Path.GetFileName(Path.GetDirectoryName(path)) == "boot").ToList()
            : [];
        Assert.SkipWhen(kernels.Count == 0, $"no boot/vmlinuz-* below {directory}: build the images first, or set TWIN_KERNELS_DIR");

        foreach (var path in kernels)
        {
            var bytes = File.ReadAllBytes(path);
            var kernel = BzImage.Parse(bytes);
            kernel.KernelVersion.ShouldStartWith(Path.GetFileName(path)["vmlinuz-".Length..] + " ");
            kernel.ProtocolVersion.ShouldBeGreaterThanOrEqualTo((ushort)0x20f);
            kernel.CanBeLoadedAbove4G.ShouldBeTrue();
            BzImage.ParseHeader(bytes.AsMemory(0, 0x10000), bytes.Length).KernelVersion.ShouldBe(kernel.KernelVersion);

            var plan = BootPlanner.Plan(SampleRequest.Valid() with { Kernel = kernel });
            PlanRules.Hold(SampleRequest.Valid() with { Kernel = kernel }, plan);
        }
    }

    private static string Repository([CallerFilePath] string file = "")
    {
        for (var directory = Path.GetDirectoryName(file); directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "TwinKernel.Fleet.sln")))
            {
                return directory;
            }
        }

        throw new InvalidOperationException($"no TwinKernel.Fleet.sln above {file}");
    }
}
