using Grpc.Core;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Coordinator;

/// <summary>Why a command ends without success: what a person reads, what to do next, what a script gets.</summary>
internal sealed record Failure(int ExitCode, IReadOnlyList<string> Problems, string Next)
{
    private const string ViolationsTrailer = "twinkernel-violations-bin";

    /// <summary>Of a call that the coordinator answered with an error, or did not answer.</summary>
    /// <param name="status">The call's end.</param>
    /// <param name="trailers">Its trailers.</param>
    /// <param name="address">Where the coordinator should be.</param>
    /// <param name="lookUp">The command that shows what there is, for what was not found.</param>
    public static Failure Of(Status status, Metadata trailers, Uri address, string lookUp) => status.StatusCode switch
    {
        StatusCode.InvalidArgument => new(Cli.ExitCode.Usage, Violations(status, trailers), "correct the command line; --help shows what each option takes"),
        StatusCode.Unavailable => new(Cli.ExitCode.Unreachable, [$"The coordinator at {address} cannot be reached: {Innermost(status)}"], $"start it, or name another one with --coordinator URL or {CommonOptions.CoordinatorVariable}"),
        StatusCode.Unimplemented => new(Cli.ExitCode.Unreachable, [$"What listens at {address} is not a coordinator of this version: {status.Detail}"], "check --coordinator URL, and that coordinator and twinfleet are of one version"),
        StatusCode.NotFound => new(Cli.ExitCode.NotFound, [status.Detail], lookUp),
        StatusCode.AlreadyExists => new(Cli.ExitCode.Refused, Violations(status, trailers), "twinfleet upgrade list shows the upgrade that is under way; watch it, then try again"),
        StatusCode.FailedPrecondition or StatusCode.Aborted or StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.ResourceExhausted =>
            new(Cli.ExitCode.Refused, Violations(status, trailers), "remove what stands in the way, then try again"),
        StatusCode.DeadlineExceeded => new(Cli.ExitCode.TimedOut, [$"The coordinator at {address} did not answer in time."], "try again with a longer --timeout"),
        StatusCode.Cancelled => new(Cli.ExitCode.Unreachable, [$"The coordinator at {address} broke off the call: {Innermost(status)}"], "try again"),
        _ => new(Cli.ExitCode.CoordinatorFailed, [$"The coordinator at {address} failed: {status.StatusCode} {status.Detail}"], "its log says why; then try again"),
    };

    public void Print(TextWriter error)
    {
        foreach (var problem in Problems)
        {
            error.WriteLine($"error: {problem}");
        }

        error.WriteLine($"Next: {Next}");
    }

    private static IReadOnlyList<string> Violations(Status status, Metadata trailers)
    {
        if (trailers.GetValueBytes(ViolationsTrailer) is { } bytes)
        {
            try
            {
                var violations = Contracts.Fleet.Violations.Parser.ParseFrom(bytes).Violations_;
                if (violations.Count > 0)
                {
                    return [.. violations.Select(violation => violation.Field.Length == 0 ? violation.Message : $"{violation.Field}: {violation.Message}")];
                }
            }
            catch (Google.Protobuf.InvalidProtocolBufferException)
            {
                // The status says it too, in one sentence.
            }
        }

        return [status.Detail.Length > 0 ? status.Detail : $"The coordinator refused: {status.StatusCode}"];
    }

    private static string Innermost(Status status)
    {
        var exception = status.DebugException;
        while (exception?.InnerException is { } inner)
        {
            exception = inner;
        }

        return exception?.Message ?? status.Detail;
    }
}
