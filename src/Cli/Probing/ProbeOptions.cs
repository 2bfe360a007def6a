using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using TwinKernel.Fleet.Cli.Verbs;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>The options of <c>probe</c>. What is wrong with any of them is an error of the command line, told with all others.</summary>
internal sealed class ProbeOptions(CommonOptions common)
{
    private const double DefaultRate = 1000;
    private static readonly ProbeSettings Defaults = new() { Service = ServiceAddress.Parse("redis://localhost", out _)! };

    public Argument<ServiceAddress?> Service { get; } = new("SERVICE")
    {
        Description = $"What is asked: {ServiceAddress.Forms}. tcp connects only; the echoes expect back what they sent, http status 200, redis PONG or OK, postgres a row or INSERT",
        CustomParser = result =>
        {
            var service = ServiceAddress.Parse(result.Tokens.Single().Value, out var problem);
            return service ?? Refuse<ServiceAddress?>(result, problem);
        },
    };

    public Option<double?> Rate { get; } = Number("--rate", "Requests a second, 0.1 to 50000. Each is due at its time, whatever became of those before. Default: 1000", 0.1, 50_000);

    public Option<TimeSpan?> Duration { get; } = Time("--duration", "How long. Default: until Ctrl-C, or with --upgrade until that has ended and --after has passed");

    public Option<double?> Connections { get; } = Number("--connections", "Connections that are kept, and made again when they break, 1 to 256. Default: 8", 1, ProbeSettings.MostConnections);

    public Option<TimeSpan?> Gap { get; } = Time("--gap", "The shortest time without an answer that is listed. Default: 10ms, or two requests' distance where that is longer");

    public Option<bool> Writes { get; } = new("--writes") { Description = "redis: SET a key of its own per request instead of PING; postgres: INSERT of a row. They are removed afterwards" };

    public Option<bool> VerifyWrites { get; } = new("--verify-writes") { Description = "--writes, and read every acknowledged write back afterwards: exit code 8 when one is lost or that cannot be told" };

    public Option<string?> Record { get; } = new("--record") { Description = "Write each request to this file: number,due_us,latency_us,outcome", HelpName = "FILE" };

    public Option<bool> MarkStdin { get; } = new("--mark-stdin") { Description = "Each line of the standard input begins a phase of that name; an empty one: during, then after. So does SIGUSR1" };

    public Option<string?> MarkFile { get; } = new("--mark-file") { Description = "Each line that is appended to this file begins a phase likewise", HelpName = "FILE" };

    public Option<string?> Upgrade { get; } = new("--upgrade") { Description = "Watch an upgrade, by its id, or the next (or present) one of a guest, by its name: phases before, during and after", HelpName = "ID|GUEST" };

    public Option<TimeSpan?> After { get; } = Time("--after", "With --upgrade: how long to go on after its end. Default: 5s");

    public Option<bool> BySteps { get; } = new("--by-steps") { Description = "With --upgrade: a phase for each of its steps, by the step's name, instead of one during" };

    public void AddTo(Command command)
    {
        command.Arguments.Add(Service);
        foreach (Option option in new Option[] { Rate, Duration, Connections, Gap, Writes, VerifyWrites, Record, MarkStdin, MarkFile, Upgrade, After, BySteps })
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            if (result.GetResult(After) is { Implicit: false } && result.GetResult(Upgrade) is null)
            {
                result.AddError("--after needs --upgrade.");
            }

            if (result.GetValue(BySteps) && result.GetResult(Upgrade) is null)
            {
                result.AddError("--by-steps needs --upgrade.");
            }

            if (result.GetResult(Service) is not { Tokens.Count: > 0 })
            {
                result.AddError($"What is to be asked is missing: {ServiceAddress.Forms}.");
            }

            foreach (var problem in Settings(option => Read(result.GetValue, option), option => Read(result.GetValue, option), option => Read(result.GetValue, option), option => Read(result.GetValue, option), null).Problems())
            {
                result.AddError(problem);
            }
        });
    }

    public ProbeSettings Settings(Verb run, TextWriter? record) =>
        Settings(run.Arguments.GetValue, run.Arguments.GetValue, run.Arguments.GetValue, run.Arguments.GetValue, record);

    private ProbeSettings Settings(
        Func<Argument<ServiceAddress?>, ServiceAddress?> service,
        Func<Option<double?>, double?> number,
        Func<Option<TimeSpan?>, TimeSpan?> time,
        Func<Option<bool>, bool> flag,
        TextWriter? record)
    {
        var interval = TimeSpan.FromTicks((long)Math.Round(TimeSpan.TicksPerSecond / (number(Rate) ?? DefaultRate)));
        return new ProbeSettings
        {
            Service = service(Service) ?? Defaults.Service,
            Interval = interval,
            Duration = time(Duration),
            Timeout = time(common.Timeout) ?? Defaults.Timeout,
            Connections = (int)(number(Connections) ?? Defaults.Connections),
            GapThreshold = time(Gap) ?? (interval * 2 > Defaults.GapThreshold ? interval * 2 : Defaults.GapThreshold),
            Writes = flag(Writes) || flag(VerifyWrites),
            VerifyWrites = flag(VerifyWrites),
            Record = record,
        };
    }

    /// <summary>The value; none where it is wrong by itself, which its own parser tells.</summary>
    private static TValue? Read<TSymbol, TValue>(Func<TSymbol, TValue?> value, TSymbol symbol)
    {
        try
        {
            return value(symbol);
        }
        catch (InvalidOperationException)
        {
            return default;
        }
    }

    private static Option<double?> Number(string name, string description, double least, double most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            var text = result.Tokens.Single().Value;
            return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
                && value >= least && value <= most && (least < 1 || value == Math.Floor(value))
                ? value
                : Refuse<double?>(result, string.Create(CultureInfo.InvariantCulture, $"{name} is \"{text}\"; it must be a number from {least} to {most}."));
        },
    };

    private static Option<TimeSpan?> Time(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        CustomParser = result => Times.TryParse(result.Tokens.Single().Value, out var time)
            ? time
            : Refuse<TimeSpan?>(result, $"{name} is \"{result.Tokens.Single().Value}\"; it must be {Times.Form}."),
    };

    private static T? Refuse<T>(ArgumentResult result, string problem)
    {
        result.AddError(problem);
        return default;
    }
}
