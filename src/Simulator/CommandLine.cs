using System.CommandLine;
using TwinKernel.Fleet.Simulator.Delivery;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator;

/// <summary>The command line of the simulator.</summary>
internal static class CommandLine
{
    public const int Done = 0;
    public const int Usage = 2;
    public const int Unreachable = 3;
    public const string BrokerVariable = "Broker__Uri";
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TerminationPatience = TimeSpan.FromMinutes(1);

    public static async Task<int> RunAsync(
        string[] arguments, Func<string, string?> variable, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        Argument<FileInfo> file = new("scenario") { Description = "A file of JSON, see docs/simulator.md" };
        Option<string?> broker = new("--broker") { Description = $"amqp://USER:PASSWORD@HOST:PORT/VHOST; {BrokerVariable} when absent", HelpName = "URI" };
        Option<bool> json = new("--json") { Description = "The summary as JSON; the lines of progress go to the error output" };
        Option<double?> seconds = new("--for") { Description = "Ends after so many seconds; otherwise on Ctrl-C", HelpName = "SECONDS" };
        Option<bool> check = new("--check") { Description = "Only reads the scenario and says what is wrong with it" };
        Option<FileInfo?> journal = new("--journal") { Description = "Hosts and guests go on from this file, and write into it what happens", HelpName = "FILE" };
        RootCommand root = new("Simulates hosts with guests: their agents on the real broker, for a real coordinator.") { file, broker, json, seconds, check, journal };
        root.SetAction((parsed, stop) => RunAsync(
            parsed.GetRequiredValue(file), parsed.GetValue(broker) ?? variable(BrokerVariable), parsed.GetValue(seconds), parsed.GetValue(json), parsed.GetValue(check),
            parsed.GetValue(journal), output, error, stop));
        return await root.Parse(arguments).InvokeAsync(
            new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TerminationPatience },
            cancellationToken).ConfigureAwait(false) is var code and not 1 ? code : Usage;
    }

    private static async Task<int> RunAsync(
        FileInfo file, string? broker, double? seconds, bool json, bool check, FileInfo? journal, TextWriter output, TextWriter error, CancellationToken stop)
    {
        Scenario scenario;
        try
        {
            scenario = ScenarioReader.Read(await File.ReadAllBytesAsync(file.FullName, stop).ConfigureAwait(false));
        }
        catch (InvalidScenarioException e)
        {
            foreach (string line in e.Errors)
            {
                await error.WriteLineAsync($"error: {line}").ConfigureAwait(false);
            }

            return Usage;
        }
        catch (IOException e)
        {
            await error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return Usage;
        }

        if (check)
        {
            return Done;
        }

        if (!Uri.TryCreate(broker, UriKind.Absolute, out Uri? address) || address.Scheme is not ("amqp" or "amqps"))
        {
            await error.WriteLineAsync($"error: The broker is not given. Use --broker or {BrokerVariable}: amqp://USER:PASSWORD@HOST:PORT/VHOST.").ConfigureAwait(false);
            return Usage;
        }

        if (seconds is <= 0 or > 1_000_000)
        {
            await error.WriteLineAsync("error: --for must be above 0 and at most 1000000 seconds.").ConfigureAwait(false);
            return Usage;
        }

        try
        {
            using FleetJournal kept = journal is null ? FleetJournal.None : FleetJournal.Open(journal.FullName, TimeProvider.System);
            return await RunAsync(new Simulation(scenario, TimeProvider.System, kept), address, seconds, json, output, error, stop).ConfigureAwait(false);
        }
        catch (IOException e) when (journal is not null)
        {
            await error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return Usage;
        }
    }

    private static async Task<int> RunAsync(Simulation simulation, Uri broker, double? seconds, bool json, TextWriter output, TextWriter error, CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        if (seconds is { } limit)
        {
            end.CancelAfter(TimeSpan.FromSeconds(limit));
        }

        Task run = simulation.RunAsync(broker, end.Token);
        TextWriter lines = json ? error : output;
        try
        {
            while (await Task.WhenAny(run, Task.Delay(Second, end.Token)).ConfigureAwait(false) != run && !end.IsCancellationRequested)
            {
                await lines.WriteLineAsync(simulation.Tally.Line(simulation.Elapsed, simulation.Running)).ConfigureAwait(false);
            }

            await run.ConfigureAwait(false);
        }
        catch (BrokerUnreachableException e)
        {
            await error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return Unreachable;
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // Before the broker had answered.
        }

        var summary = simulation.Tally.Summary(simulation.Elapsed, simulation.Hosts.Count, simulation.Hosts.Sum(host => host.Guests.Count));
        await output.WriteLineAsync(json ? summary.ToJsonString() : string.Join(Environment.NewLine, summary.Select(one => $"{one.Key,-12} {one.Value}"))).ConfigureAwait(false);
        return Done;
    }
}
