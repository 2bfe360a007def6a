using System.Diagnostics;
using static TwinKernel.Fleet.Cli.Tests.FakeFleet;

namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>The program as its users run it.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task Control_C_stops_watching_and_the_upgrade_goes_on()
    {
        await using var fleet = await FakeFleet.StartAsync();
        fleet.Answers.Current = Some.Running("Preflight");
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Hang, Some.Running("Load")));
        using var patience = new CancellationTokenSource(Cli.Patience);
        using var program = Start(fleet, "upgrade", "watch", Some.Id);

        while (await program.StandardOutput.ReadLineAsync(patience.Token) is { } line && !line.Contains("Load begins", StringComparison.Ordinal))
        {
        }

        using (var kill = Process.Start("kill", ["-INT", program.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync(patience.Token);
        }

        var error = await program.StandardError.ReadToEndAsync(patience.Token);
        await program.WaitForExitAsync(patience.Token);
        program.ExitCode.ShouldBe(ExitCode.Interrupted);
        error.ShouldContain("goes on");
    }

    [Fact]
    public async Task A_failure_reaches_the_shell()
    {
        await using var fleet = await FakeFleet.StartAsync();
        fleet.Answers.Current = Some.Running("Preflight");
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.RolledBack()));
        using var patience = new CancellationTokenSource(Cli.Patience);
        using var program = Start(fleet, "upgrade", "watch", Some.Id, "--json");
        var output = await program.StandardOutput.ReadToEndAsync(patience.Token);
        await program.WaitForExitAsync(patience.Token);
        program.ExitCode.ShouldBe(ExitCode.UpgradeFailed);
        Contracts.Fleet.Upgrade.Parser.ParseJson(output).ShouldBe(Some.RolledBack());
    }

    private static Process Start(FakeFleet fleet, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "twinfleet.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[CommonOptions.CoordinatorVariable] = fleet.Address.ToString();
        return Process.Start(start)!;
    }
}
