using System.Diagnostics;
using System.Text.Json;
using TwinKernel.Fleet.Tests.Servers;

// Every test boots a virtual machine: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace TwinKernel.Fleet.Kernel.Tests;

/// <summary>
/// twinkernel.ko in virtual machines, through kernel/selftests/run.sh: it plays one scenario and fails when a check of either
/// kernel fails or either console shows a warning, a lockup or a stall. Kernels are those that images/fetch unpacked.
/// </summary>
public sealed class SelfTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(8);

    [Theory]
    [InlineData("debian-6.1")]
    [InlineData("debian-6.12")]
    public async Task Module_builds_without_a_warning(string kernel) =>
        await BuildAsync(await ReadAsync(kernel), Repository.CreateScratchDirectory("module"));

    [Theory]
    [InlineData("handover")]
    [InlineData("panic")]
    [InlineData("silent")]
    [InlineData("return")]
    [InlineData("stop")]
    [InlineData("errors")]
    public async Task Scenario_passes_with_6_1_as_A_and_6_12_as_B(string scenario)
    {
        UnpackedKernel a = await ReadAsync("debian-6.1"), b = await ReadAsync("debian-6.12");
        string scratch = Repository.CreateScratchDirectory("kernel");
        foreach (UnpackedKernel kernel in new[] { a, b })
        {
            string modules = Path.Combine(scratch, "modules", kernel.Release);
            await BuildAsync(kernel, modules);
            await BuildHangAsync(kernel, Path.Combine(modules, "hang"));
        }

        await RunAsync(Repository.Find("kernel", "selftests", "run.sh"), [scenario], new Dictionary<string, string>
        {
            ["A"] = a.Directory,
            ["B"] = b.Directory,
            ["A_RELEASE"] = a.Release,
            ["B_RELEASE"] = b.Release,
            ["MODULE_DIR"] = Path.Combine(scratch, "modules"),
            ["OUT"] = Path.Combine(scratch, scenario),
        });
        Directory.Delete(scratch, recursive: true);
    }

    private static async Task BuildAsync(UnpackedKernel kernel, string output)
    {
        Directory.CreateDirectory(output);
        await RunAsync(Repository.Find("kernel", "build.sh"), [kernel.HeadersDirectory, output, "W=1", "KCFLAGS=-Werror"], new Dictionary<string, string>());
        File.Exists(Path.Combine(output, "twinkernel.ko")).ShouldBeTrue();
    }

    /// <summary>The module that makes a kernel hang with interrupts off.</summary>
    private static async Task BuildHangAsync(UnpackedKernel kernel, string output)
    {
        Directory.CreateDirectory(output);
        foreach (string source in Directory.EnumerateFiles(Repository.Find("kernel", "selftests", "hang")))
        {
            File.Copy(source, Path.Combine(output, Path.GetFileName(source)));
        }

        await RunAsync("make", ["-s", "-C", kernel.HeadersDirectory, $"M={output}", "modules"], new Dictionary<string, string>());
    }

    private static async Task<UnpackedKernel> ReadAsync(string name)
    {
        string directory = Path.Combine(Environment.GetEnvironmentVariable("TWIN_KERNELS_DIR") ?? Repository.Find("state", "kernels"), name);
        string description = Path.Combine(directory, "kernel.json");
        File.Exists(description).ShouldBeTrue($"{description} is missing: run images/fetch");
        using JsonDocument json = JsonDocument.Parse(await File.ReadAllBytesAsync(description));
        return new UnpackedKernel(
            directory,
            json.RootElement.GetProperty("release").GetString()!,
            Path.Combine(directory, json.RootElement.GetProperty("kdir").GetString()!));
    }

    private static async Task RunAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource late = new(Deadline);
        try
        {
            await process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} took longer than {Deadline}: {await output}{await error}");
        }

        process.ExitCode.ShouldBe(0, $"{program}:\n{await output}{await error}");
    }

    private sealed record UnpackedKernel(string Directory, string Release, string HeadersDirectory);
}
