using System.CommandLine;
using System.CommandLine.Parsing;

namespace TwinKernel.Fleet.Cli;

/// <summary>The options of every command.</summary>
internal sealed class CommonOptions
{
    public const string CoordinatorVariable = "TWINFLEET_COORDINATOR";
    public const string DefaultCoordinator = "http://127.0.0.1:5080";

    public CommonOptions(Surroundings surroundings)
    {
        Coordinator = new Option<Uri>("--coordinator")
        {
            Description = $"Where the coordinator listens, http://host:port. Else ${CoordinatorVariable}, else {DefaultCoordinator}",
            HelpName = "URL",
            Recursive = true,
            DefaultValueFactory = result => ParseAddress(result, surroundings.Variable(CoordinatorVariable) is { Length: > 0 } set ? set : DefaultCoordinator, CoordinatorVariable),
            CustomParser = result => ParseAddress(result, result.Tokens.Single().Value, "--coordinator"),
        };
    }

    public Option<Uri> Coordinator { get; }

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON (as protobuf writes it; of a probe as docs/probe.md says) and nothing else on the standard output; one object per line while watching",
        Recursive = true,
    };

    public Option<TimeSpan?> Timeout { get; } = new("--timeout")
    {
        Description = "Give up after this long: 90, 90s, 5m, 1h or 20ms. Default: 30s, while watching 15m; each request of a probe 2s after it was due",
        HelpName = "TIME",
        Recursive = true,
        CustomParser = ParseTime,
    };

    private static Uri ParseAddress(ArgumentResult result, string text, string source)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps) && address.AbsolutePath == "/")
        {
            return address;
        }

        result.AddError($"{source} is \"{text}\", which is not of the form http://host:port.");
        return new Uri(DefaultCoordinator);
    }

    private static TimeSpan? ParseTime(ArgumentResult result)
    {
        var text = result.Tokens.Single().Value;
        if (Times.TryParse(text, out var time))
        {
            return time;
        }

        result.AddError($"--timeout is \"{text}\"; it must be {Times.Form}.");
        return null;
    }
}
