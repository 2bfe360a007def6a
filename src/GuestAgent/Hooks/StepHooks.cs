using Grpc.Core;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Hooks;

/// <summary>
/// The guest's own programs around each step: the executables in <c>/etc/twinkernel/hooks.d</c>, in the order of their names, called with
/// <c>pre</c> or <c>post</c> and the step. docs/services.md has the contract. As long as there is a way back, one that fails fails the step.
/// </summary>
public sealed partial class StepHooks(KernelFiles files, UpgradeJournal journal, KernelIdentity identity, ILogger<StepHooks> logger)
{
    public const string Directory = "/etc/twinkernel/hooks.d";

    /// <summary>Facts of the cut-over in kernel B, by which its hooks know what kernel A knew.</summary>
    public const string FromRelease = "from_release";
    public const string Image = "image";

    /// <summary>Set where nobody could take the machine back: kernel A has panicked.</summary>
    public const string NoWayBack = "no_way_back";

    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Of one hook: 10 s. Then it is killed, with all that it has started.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What is wrong with the directory; empty: nothing.</summary>
    public IReadOnlyList<string> Problems() => [.. Names()
        .Where(name => (File.GetUnixFileMode(files.At($"{Directory}/{name}")) & Executable) == 0)
        .Select(name => $"{Directory}/{name} is not executable: chmod +x it, or move it away")];

    public int Count => Names().Count();

    /// <exception cref="StepFailure">A hook failed: the step shall not begin.</exception>
    public void Before(StepContext context) => Call(context, "pre", result: null, fatal: HasWayBack(context));

    /// <summary>After the step has done its work, or failed.</summary>
    /// <exception cref="StepFailure">A hook failed after a step that had succeeded and that can still be undone.</exception>
    public void After(StepContext context, Exception? error) =>
        Call(context, "post", error is null ? "succeeded" : "failed", error is null && context.Step != Wire.Step.Commit && HasWayBack(context));

    private static string OneLine(IReadOnlyList<string> lines) => lines.LastOrDefault(line => line.Trim().Length > 0)?.Trim() is { } last ? $"\"{last}\"" : "no output";

    private bool HasWayBack(StepContext context) => context.Step != Wire.Step.RollBack && Fact(context, NoWayBack).Length == 0;

    private IEnumerable<string> Names() => files.List(Directory)
        .Where(name => !name.StartsWith('.') && !name.EndsWith('~') && !System.IO.Directory.Exists(files.At($"{Directory}/{name}")))
        .Order(StringComparer.Ordinal);

    private void Call(StepContext context, string phase, string? result, bool fatal)
    {
        foreach (string name in Names())
        {
            string? problem = null;
            context.Measure($"hook.{phase}.{name}", () => problem = Run(context, phase, name, result));
            if (problem is null)
            {
                continue;
            }

            Log.Failed(logger, problem);
            if (fatal)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.HookFailed, problem);
            }

            context.Facts[$"hook.{phase}.{name}.failed"] = problem;
        }
    }

    /// <summary>Null: it ended with 0.</summary>
    private string? Run(StepContext context, string phase, string name, string? result)
    {
        string step = StepOrder.Word(context.Step);
        try
        {
            ChildEnd end = ChildProcess.Run([files.At($"{Directory}/{name}"), phase, step], Environment(context, phase, result), Deadline);
            if (end.LastLines.Count > 0)
            {
                context.Facts[$"hook.{phase}.{name}"] = string.Join('\n', end.LastLines);
            }

            return end.ExitCode switch
            {
                0 => null,
                null => $"Hook {name} ({phase} {step}) did not end within {Deadline.TotalSeconds:0.#} s and was killed; it last said {OneLine(end.LastLines)}.",
                { } code => $"Hook {name} ({phase} {step}) ended with {code}: {OneLine(end.LastLines)}.",
            };
        }
        catch (IOException error)
        {
            return $"Hook {name} ({phase} {step}): {error.Message}.";
        }
    }

    private IEnumerable<KeyValuePair<string, string>> Environment(StepContext context, string phase, string? result)
    {
        string from = Fact(context, FromRelease);
        bool isNew = from.Length > 0;
        yield return new("TWINKERNEL_UPGRADE", context.UpgradeId);
        yield return new("TWINKERNEL_STEP", StepOrder.Word(context.Step));
        yield return new("TWINKERNEL_PHASE", phase);
        yield return new("TWINKERNEL_ROLE", isNew ? "new" : "old");
        yield return new("TWINKERNEL_IMAGE", Fact(context, Image));
        yield return new("TWINKERNEL_FROM_RELEASE", isNew ? from : identity.Release);
        yield return new("TWINKERNEL_TO_RELEASE", isNew ? identity.Release : Fact(context, "kernel_release"));
        yield return new("TWINKERNEL_STRATEGY", (journal.Current?.Strategy ?? Wire.Strategy.Twin).ToString().ToLowerInvariant());
        if (result is not null)
        {
            yield return new("TWINKERNEL_RESULT", result);
        }
    }

    /// <summary>Of this step, or of an earlier one; empty: not known yet.</summary>
    private string Fact(StepContext context, string name) =>
        context.Facts.GetValueOrDefault(name)
        ?? journal.Current?.Steps.Select(step => step.Facts.GetValueOrDefault(name)).FirstOrDefault(value => value is not null)
        ?? "";

    private static partial class Log
    {
        [LoggerMessage(400, LogLevel.Error, "{Problem}")]
        public static partial void Failed(ILogger logger, string problem);
    }
}
