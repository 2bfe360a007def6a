using System.Globalization;
using System.Text.Json;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>One line of a journal. Which members are there depends on the kind.</summary>
internal sealed record JournalLine
{
    public required JournalKind Kind { get; init; }

    /// <summary>Wall clock, for people and for deadlines across a restart.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Of <see cref="JournalKind.Accepted"/>.</summary>
    public ExecuteStep? Command { get; init; }

    /// <summary>Of <see cref="JournalKind.Accepted"/>: the host's monotonic clock, and its boot, without which that says nothing.</summary>
    public long Monotonic { get; init; }

    public string? HostBootId { get; init; }

    /// <summary>Of <see cref="JournalKind.Fact"/>.</summary>
    public string? Name { get; init; }

    public string? Value { get; init; }

    /// <summary>Of <see cref="JournalKind.Finished"/>: one of the two.</summary>
    public StepCompleted? Completed { get; init; }

    public StepFailed? Failed { get; init; }

    /// <summary>Of <see cref="JournalKind.Published"/>.</summary>
    public UpgradeStep? Step { get; init; }
}

internal enum JournalKind
{
    /// <summary>A command was taken on; written before anything is done for it.</summary>
    Accepted = 1,

    /// <summary>Something that a later step, or the same one after a restart, must know.</summary>
    Fact = 2,

    /// <summary>The result; written before it is published.</summary>
    Finished = 3,

    /// <summary>The broker has the result.</summary>
    Published = 4,
}

/// <summary>What the journal says of one step.</summary>
internal sealed class JournalledStep(ExecuteStep command, DateTimeOffset acceptedAt, long monotonic, string hostBootId)
{
    public ExecuteStep Command => command;

    public DateTimeOffset AcceptedAt => acceptedAt;

    public long Monotonic => monotonic;

    public string HostBootId => hostBootId;

    public StepCompleted? Completed { get; set; }

    public StepFailed? Failed { get; set; }

    public bool Published { get; set; }

    public bool IsFinished => Completed is not null || Failed is not null;

    public ObservedOutage? Outage => Completed?.Outage ?? Failed?.Outage;
}

/// <summary>What the journal says of one upgrade.</summary>
internal sealed class JournalledUpgrade(Guid id)
{
    public Guid Id => id;

    public Dictionary<UpgradeStep, JournalledStep> Steps { get; } = [];

    public Dictionary<string, string> Facts { get; } = new(StringComparer.Ordinal);

    public bool IsSettled => Steps.Values.All(s => s.IsFinished && s.Published);
}

/// <summary>
/// One file of JSON lines per upgrade, <c>ID.jsonl</c>. A line is on the disk before what it announces is done. A line that
/// was torn by a crash is the last one and has no line feed: it announces something that was never begun, and is cut off.
/// </summary>
internal sealed partial class UpgradeJournal
{
    private const int MostKept = 500;
    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, JournalledUpgrade> _upgrades = [];

    /// <summary>Reads every journal of the directory. One that cannot be read is renamed to <c>.unreadable</c> and logged.</summary>
    public UpgradeJournal(string directory, TimeProvider time, ILogger logger)
    {
        (_directory, _time) = (directory, time);
        foreach (FileInfo file in new DirectoryInfo(directory).GetFiles("*.jsonl").OrderByDescending(f => f.LastWriteTimeUtc))
        {
            try
            {
                JournalledUpgrade upgrade = Read(file.FullName);
                if (upgrade.IsSettled && _upgrades.Count >= MostKept)
                {
                    file.Delete();
                }
                else
                {
                    _upgrades.Add(upgrade.Id, upgrade);
                }
            }
            catch (Exception e) when (e is JsonException or FormatException or InvalidDataException)
            {
                Log.Unreadable(logger, file.FullName, e.Message);
                file.MoveTo(file.FullName + ".unreadable", overwrite: true);
            }
        }
    }

    /// <summary>Steps that were taken on and have no result.</summary>
    public IReadOnlyList<JournalledStep> Unfinished => Select(s => !s.IsFinished);

    /// <summary>Steps with a result that the broker may not have.</summary>
    public IReadOnlyList<JournalledStep> Unpublished => Select(s => s.IsFinished && !s.Published);

    public JournalledStep? Find(Guid upgrade, UpgradeStep step)
    {
        lock (_lock)
        {
            return _upgrades.GetValueOrDefault(upgrade)?.Steps.GetValueOrDefault(step);
        }
    }

    public string? Fact(Guid upgrade, string name)
    {
        lock (_lock)
        {
            return _upgrades.GetValueOrDefault(upgrade)?.Facts.GetValueOrDefault(name);
        }
    }

    /// <summary>The outage of the newest finished step that has one.</summary>
    public ObservedOutage? LastOutage(Guid upgrade)
    {
        lock (_lock)
        {
            return _upgrades.GetValueOrDefault(upgrade)?.Steps.Values
                .Where(s => s.Outage is not null).MaxBy(s => s.Outage!.Sent)?.Outage;
        }
    }

    public JournalledStep Accept(ExecuteStep command) => Append(command.UpgradeId, new JournalLine
    {
        Kind = JournalKind.Accepted,
        At = _time.GetUtcNow(),
        Command = command,
        Monotonic = _time.GetTimestamp(),
        HostBootId = Machines.ProcessIdentity.CurrentHostBootId,
    }).Steps[command.Step];

    public void Note(Guid upgrade, string name, string value) =>
        Append(upgrade, new JournalLine { Kind = JournalKind.Fact, At = _time.GetUtcNow(), Name = name, Value = value });

    public void Finish(StepCompleted completed) =>
        Append(completed.UpgradeId, new JournalLine { Kind = JournalKind.Finished, At = _time.GetUtcNow(), Completed = completed });

    public void Finish(StepFailed failed) =>
        Append(failed.UpgradeId, new JournalLine { Kind = JournalKind.Finished, At = _time.GetUtcNow(), Failed = failed });

    public void Publish(Guid upgrade, UpgradeStep step) =>
        Append(upgrade, new JournalLine { Kind = JournalKind.Published, At = _time.GetUtcNow(), Step = step });

    private IReadOnlyList<JournalledStep> Select(Func<JournalledStep, bool> which)
    {
        lock (_lock)
        {
            return [.. _upgrades.Values.SelectMany(u => u.Steps.Values).Where(which).OrderBy(s => s.AcceptedAt)];
        }
    }

    private JournalledUpgrade Append(Guid upgrade, JournalLine line)
    {
        byte[] bytes = [.. JsonSerializer.SerializeToUtf8Bytes(line, DurableFile.Json), (byte)'\n'];
        lock (_lock)
        {
            FileStreamOptions options = new()
            {
                Mode = FileMode.Append,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using (FileStream stream = new(Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"{upgrade}.jsonl")), options))
            {
                stream.Write(bytes);
                stream.Flush(flushToDisk: true);
            }

            if (!_upgrades.TryGetValue(upgrade, out JournalledUpgrade? record))
            {
                _upgrades.Add(upgrade, record = new JournalledUpgrade(upgrade));
            }

            Apply(record, line);
            return record;
        }
    }

    private static JournalledUpgrade Read(string path)
    {
        JournalledUpgrade upgrade = new(Guid.Parse(Path.GetFileNameWithoutExtension(path)));
        byte[] bytes = File.ReadAllBytes(path);
        int whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
        if (whole < bytes.Length)
        {
            using FileStream cut = new(path, FileMode.Open, FileAccess.Write);
            cut.SetLength(whole);
            cut.Flush(flushToDisk: true);
        }

        int from = 0;
        while (from < whole)
        {
            int end = Array.IndexOf(bytes, (byte)'\n', from);
            JournalLine line = JsonSerializer.Deserialize<JournalLine>(bytes.AsSpan(from, end - from), DurableFile.Json)
                ?? throw new InvalidDataException("A line is null.");
            Apply(upgrade, line);
            from = end + 1;
        }

        return upgrade;
    }

    private static void Apply(JournalledUpgrade upgrade, JournalLine line)
    {
        JournalledStep Known(UpgradeStep? step) => upgrade.Steps.GetValueOrDefault(step ?? default)
            ?? throw new InvalidDataException($"{line.Kind} of {step} without its acceptance.");
        switch (line)
        {
            case { Kind: JournalKind.Accepted, Command: { } command }:
                upgrade.Steps[command.Step] = new JournalledStep(command, line.At, line.Monotonic, line.HostBootId ?? "");
                break;
            case { Kind: JournalKind.Fact, Name: { } name, Value: { } value }:
                upgrade.Facts[name] = value;
                break;
            case { Kind: JournalKind.Finished, Completed: { } completed }:
                Known(completed.Step).Completed = completed;
                break;
            case { Kind: JournalKind.Finished, Failed: { } failed }:
                Known(failed.Step).Failed = failed;
                break;
            case { Kind: JournalKind.Published }:
                Known(line.Step).Published = true;
                break;
            default:
                throw new InvalidDataException($"A line of kind {line.Kind} lacks what such a line must have.");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5000, LogLevel.Error, "Journal {File} cannot be read and is set aside: {Reason}")]
        public static partial void Unreadable(ILogger logger, string file, string reason);
    }
}
