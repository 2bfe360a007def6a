using System.Text.Json;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Journal;

/// <summary>
/// <c>/run/twinkernel/journal/journal.jsonl</c>: one JSON object a line, on disk before a method returns. Read back when the agent
/// starts; a last line that was torn by a kill is dropped, because nothing was done on the strength of it.
/// </summary>
public sealed class UpgradeJournal
{
    public const string Directory = "/run/twinkernel/journal";
    private readonly Lock _lock = new();
    private readonly string _path;
    private volatile UpgradeRecord? _current;

    public UpgradeJournal(KernelFiles files)
    {
        string directory = files.At(Directory);
        System.IO.Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _path = Path.Join(directory, "journal.jsonl");
        if (File.Exists(_path))
        {
            _current = ReadBack();
        }
    }

    /// <summary>The newest upgrade; null before the first.</summary>
    public UpgradeRecord? Current => _current;

    /// <summary>Begins an upgrade; the one before must be closed or have taken nothing, and is forgotten.</summary>
    /// <exception cref="InvalidOperationException">The one before is active.</exception>
    public void Open(string upgradeId, ulong epoch)
    {
        lock (_lock)
        {
            if (_current is { Active: true } active)
            {
                throw new InvalidOperationException($"Upgrade {active.UpgradeId} is active.");
            }

            string next = _path + ".next";
            Append(next, new JournalEntry { UpgradeId = upgradeId, Epoch = epoch, Opens = true }, FileMode.Create);
            File.Move(next, _path, overwrite: true);
            _current = new UpgradeRecord { UpgradeId = upgradeId, Epoch = epoch };
        }
    }

    /// <summary>Notes that a newer epoch speaks for the upgrade.</summary>
    public void Seen(ulong epoch) => Write(entry => entry with { Epoch = epoch });

    public void Record(StepEntry step) => Write(entry => entry with { Step = step });

    public void Takes(uint cpu) => Write(entry => entry with { TakesCpu = cpu });

    public void Takes(TakenBlock block) => Write(entry => entry with { TakesBlock = block });

    public void Takes(TakenFunction function) => Write(entry => entry with { TakesFunction = function });

    public void ReturnsCpu(uint cpu) => Write(entry => entry with { ReturnsCpu = cpu });

    public void ReturnsBlock(uint block) => Write(entry => entry with { ReturnsBlock = block });

    public void ReturnsFunction(string function) => Write(entry => entry with { ReturnsFunction = function });

    private void Write(Func<JournalEntry, JournalEntry> fill)
    {
        lock (_lock)
        {
            UpgradeRecord current = _current ?? throw new InvalidOperationException("No upgrade was opened.");
            JournalEntry entry = fill(new JournalEntry { UpgradeId = current.UpgradeId, Epoch = current.Epoch });
            Append(_path, entry, FileMode.Append);
            _current = current.With(entry);
        }
    }

    private static void Append(string path, JournalEntry entry, FileMode mode)
    {
        using FileStream file = new(path, mode, FileAccess.Write, FileShare.Read, bufferSize: 0);
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(entry, JournalJson.Default.JournalEntry), (byte)'\n']);
        file.Flush(flushToDisk: true);
    }

    private UpgradeRecord? ReadBack()
    {
        byte[] bytes = File.ReadAllBytes(_path);
        int whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
        if (whole < bytes.Length)
        {
            using FileStream file = new(_path, FileMode.Open, FileAccess.Write);
            file.SetLength(whole);
        }

        UpgradeRecord? record = null;
        foreach (Range line in bytes.AsSpan(0, whole).Split((byte)'\n'))
        {
            ReadOnlySpan<byte> json = bytes.AsSpan(0, whole)[line];
            if (!json.IsEmpty && JsonSerializer.Deserialize(json, JournalJson.Default.JournalEntry) is { } entry)
            {
                record = entry.Opens ? new UpgradeRecord { UpgradeId = entry.UpgradeId, Epoch = entry.Epoch } : record?.With(entry);
            }
        }

        return record;
    }
}
