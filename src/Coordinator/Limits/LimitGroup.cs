using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>One group under one limit, with its counts.</summary>
internal sealed class LimitGroup(LayerLimit limit, string? name, string scope)
{
    private int _guests;
    private int _running;
    private int _ready;

    private int Most => limit.MaxConcurrent?.Of(_guests) ?? int.MaxValue;

    private int LeastHealthy => (_guests * limit.MinHealthyPercent + 99) / 100;

    public void Add(bool healthy, bool running)
    {
        _guests++;
        _running += running ? 1 : 0;
        _ready += healthy && !running ? 1 : 0;
    }

    public bool Admits(bool healthy) => _running < Most && _ready - (healthy ? 1 : 0) >= LeastHealthy;

    /// <summary>Even with nothing running and all guests healthy nothing would be admitted.</summary>
    public bool IsShut => Most == 0 || LeastHealthy > _guests - 1;

    public void Start(bool healthy)
    {
        _running++;
        _ready -= healthy ? 1 : 0;
    }

    public void End(bool healthy)
    {
        _running--;
        _ready += healthy ? 1 : 0;
    }

    /// <summary>Why a guest is not admitted.</summary>
    public string Why(bool healthy)
    {
        string group = limit.Layer == LimitLayer.Fleet ? scope
            : name is null ? $"the guests without a {Choice.Text(limit.Layer)}"
            : $"{Choice.Text(limit.Layer)} {name}";
        if (_running >= Most)
        {
            string most = limit.MaxConcurrent is { IsPercent: true } percent ? $"{Most} ({percent} of {_guests})" : $"{Most}";
            return $"At most {most} may be upgraded at once in {group}, and {_running} {(_running == 1 ? "is" : "are")}.";
        }

        string least = $"at least {LeastHealthy} of the {_guests} guests of {group} ({limit.MinHealthyPercent}%) must stay healthy";
        string are = $"{_ready} {(_ready == 1 ? "is" : "are")}";
        return IsShut ? $"None may ever be upgraded in {group}: {least}."
            : healthy && _ready >= LeastHealthy ? $"With one more being upgraded too few would be left: {least}, and {are}."
            : $"Too few are healthy and not being upgraded: {least}, and {are}.";
    }
}
