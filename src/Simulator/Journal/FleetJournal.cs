using System.Text.Json;
using System.Text.Json.Serialization;

namespace TwinKernel.Fleet.Simulator.Journal;

/// <summary>
/// What all hosts keep on their disks, and what happened to them, one line of JSON for each thing in the order in which it happened. A line is
/// written whole before anybody hears of what it tells, so that a run that is killed leaves a journal that the next one goes on from.
/// For any thread.
/// </summary>
internal sealed class FleetJournal : IDisposable
{
    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly FileStream? _file;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();

    private FleetJournal(FileStream? file, IReadOnlyList<JournalLine> earlier, TimeProvider time) => (_file, Earlier, _time) = (file, earlier, time);

    /// <summary>Nothing is kept.</summary>
    public static FleetJournal None { get; } = new(null, [], TimeProvider.System);

    /// <summary>What earlier runs have left.</summary>
    public IReadOnlyList<JournalLine> Earlier { get; }

    /// <param name="path">A file that need not be there yet.</param>
    /// <param name="time">Its monotonic clock is that of the lines.</param>
    /// <exception cref="IOException">It cannot be opened, another simulator has it, or it is no journal.</exception>
    public static FleetJournal Open(string path, TimeProvider time)
    {
        FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            byte[] all = new byte[file.Length];
            file.ReadExactly(all);
            List<JournalLine> earlier = [];
            int at = 0;
            for (int end; (end = Array.IndexOf(all, (byte)'\n', at)) >= 0; at = end + 1)
            {
                earlier.Add(JsonSerializer.Deserialize<JournalLine>(all.AsSpan(at, end - at), Form)!);
            }

            // Half a line is of a run that was killed while it wrote it: nobody has heard of it.
            file.SetLength(at);
            file.Position = at;
            return new FleetJournal(file, earlier, time);
        }
        catch (JsonException e)
        {
            file.Dispose();
            throw new IOException($"{path} is no journal of the simulator: {e.Message}", e);
        }
    }

    /// <summary>Returns when it is written.</summary>
    /// <returns>When that was.</returns>
    public long Write(JournalLine line)
    {
        lock (_lock)
        {
            long now = _time.GetTimestamp();
            _file?.Write([.. JsonSerializer.SerializeToUtf8Bytes(line with { At = now }, Form), (byte)'\n']);
            return now;
        }
    }

    public void Dispose() => _file?.Dispose();
}
