using System.Text;
using System.Text.Json;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>A line of what hosts did, as the checker reads it: text and numbers, no type of those that it judges.</summary>
/// <param name="At">Nanoseconds of one clock.</param>
/// <param name="Word">What happened: Received, Refused, Accepted, Began, Changed, Finished, Published.</param>
/// <param name="Succeeded">Of Finished.</param>
/// <param name="Image">Of Changed: whom the machine belongs to.</param>
internal sealed record AgentLine(
    long At, string Word, string Host, string Guest, Guid Upgrade, long Epoch, string Step, bool Succeeded = false, string? Image = null)
{
    public string Name => $"{Host}/{Guest}";
}

/// <summary>Reads the simulator's journal while it is written.</summary>
internal sealed class AgentLog(string path)
{
    private readonly List<AgentLine> _lines = [];
    private long _read;

    /// <summary>All lines up to now.</summary>
    public IReadOnlyList<AgentLine> Read()
    {
        if (!File.Exists(path))
        {
            return _lines;
        }

        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = _read;
        byte[] news = new byte[file.Length - _read];
        file.ReadExactly(news);
        int whole = Array.LastIndexOf(news, (byte)'\n') + 1;
        _read += whole;
        foreach (string line in Encoding.UTF8.GetString(news, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement all = document.RootElement;
            if (all.TryGetProperty("upgrade", out JsonElement upgrade))
            {
                _lines.Add(new AgentLine(
                    all.GetProperty("at").GetInt64(), Text("word"), Text("host"), Text("guest"), upgrade.GetGuid(), all.GetProperty("epoch").GetInt64(), Text("step"),
                    all.TryGetProperty("completed", out _), all.TryGetProperty("kernels", out JsonElement kernels) ? kernels.GetProperty("imageA").GetString() : null));
            }

            string Text(string name) => all.GetProperty(name).GetString()!;
        }

        return _lines;
    }
}
