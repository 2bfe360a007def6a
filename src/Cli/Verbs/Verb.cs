using System.CommandLine;
using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.Cli.Coordinator;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>One run of one command.</summary>
internal sealed class Verb(Surroundings surroundings, ParseResult arguments, FleetConnection connection, bool json, TimeSpan? timeout, CancellationToken cancellation)
{
    public static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan WatchTimeout = TimeSpan.FromMinutes(15);

    /// <summary>Empty fields too: whoever reads the JSON need not know which ones exist.</summary>
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    public Surroundings Surroundings { get; } = surroundings;

    public ParseResult Arguments { get; } = arguments;

    public FleetConnection Connection { get; } = connection;

    public bool Json { get; } = json;

    /// <summary>As asked on the command line; null: the default of what is done.</summary>
    public TimeSpan? Timeout { get; } = timeout;

    /// <summary>Cancelled when the process is to end.</summary>
    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>For one call, within the time that the command has.</summary>
    public CallOptions Call() => new(
        deadline: Surroundings.Time.GetUtcNow().UtcDateTime + (Timeout ?? CallTimeout),
        cancellationToken: Cancellation);

    public void PrintJson(IMessage message)
    {
        Surroundings.Out.WriteLine(Formatter.Format(message));
        Surroundings.Out.Flush();
    }
}
