using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.Kernel.Tests;

/// <summary>
/// The module, built without a warning of the compiler or of sparse for each kernel that a test asks for, once; and the way to play a
/// scenario with it. The logs of a scenario that fails stay in its scratch directory.
/// </summary>
public sealed partial class ModulesFixture : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(9);
    private readonly string _scratch = Repository.CreateScratchDirectory("kernel");
    private readonly ConcurrentDictionary<string, Lazy<Task<UnpackedKernel>>> _kernels = new();

    /// <summary>Plays a scenario with kernel <paramref name="a"/> and, beside it, <paramref name="b"/>; names as in images/kernels.json.</summary>
    public async Task PlayAsync(string scenario, string a, string b, params (string Name, string Value)[] environment)
    {
        UnpackedKernel old = await BuiltAsync(a), young = await BuiltAsync(b);
        string output = Path.Combine(_scratch, $"{scenario}-{a}-{b}");
        Dictionary<string, string> variables = new()
        {
            ["A"] = old.Directory,
            ["B"] = young.Directory,
            ["A_RELEASE"] = old.Release,
            ["B_RELEASE"] = young.Release,
            ["MODULE_DIR"] = Path.Combine(_scratch, "modules"),
            ["OUT"] = output,
        };
        foreach ((string name, string value) in environment)
        {
            variables[name] = value;
        }

        string play = Repository.Find("kernel", "selftests", "run.sh");
        try
        {
            await RunAsync(play, [scenario], variables);
        }
        catch (ShouldAssertException failure) when (failure.Message.Contains("Oops: int3", StringComparison.Ordinal))
        {
            if (!await EmulatorMissesPatchesAsync())
            {
                throw;
            }

            TestContext.Current.TestOutputHelper!.WriteLine($"Played again: {failure.Message}");
            await RunAsync(play, [scenario], variables);
        }

        Directory.Delete(output, recursive: true);
    }

    public void Dispose()
    {
        string modules = Path.Combine(_scratch, "modules");
        if (Directory.Exists(modules))
        {
            Directory.Delete(modules, recursive: true);
        }

        if (!Directory.EnumerateFileSystemEntries(_scratch).Any())
        {
            Directory.Delete(_scratch);
        }
    }

    /// <summary>
    /// QEMU before 8.1 can translate an instruction while another emulated processor replaces it, and keep what was there before: a kernel with several processors that patches its
    /// own code meets a breakpoint that it has taken away, at any time, twin or not (fixed by "accel/tcg: Always lock pages before translation").
    /// </summary>
    private static async Task<bool> EmulatorMissesPatchesAsync()
    {
        if (Environment.GetEnvironmentVariable("ACCEL") is { Length: > 0 } accelerator && !accelerator.StartsWith("tcg", StringComparison.Ordinal))
        {
            return false;
        }

        string version = await RunAsync("qemu-system-x86_64", ["--version"], new Dictionary<string, string>());
        return Version.Parse(QemuVersion().Match(version).Groups[1].ValueSpan) < new Version(8, 1);
    }

    [GeneratedRegex(@"version (\d+\.\d+)")]
    private static partial Regex QemuVersion();

    private async Task<UnpackedKernel> BuiltAsync(string name) =>
        await _kernels.GetOrAdd(name, key => new Lazy<Task<UnpackedKernel>>(() => BuildAsync(key))).Value;

    private async Task<UnpackedKernel> BuildAsync(string name)
    {
        UnpackedKernel kernel = await ReadAsync(name);
        string modules = Path.Combine(_scratch, "modules", kernel.Release);
        await RunAsync(Repository.Find("kernel", "selftests", "build-modules.sh"), [kernel.HeadersDirectory, modules], new Dictionary<string, string>());
        File.Exists(Path.Combine(modules, "twinkernel.ko")).ShouldBeTrue();
        return kernel;
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

    private static async Task<string> RunAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
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
        return await output;
    }

    private sealed record UnpackedKernel(string Directory, string Release, string HeadersDirectory);
}
