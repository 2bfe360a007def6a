using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>The newest fencing epoch seen per guest, and the upgrade that it belongs to. Survives the agent.</summary>
internal sealed class GuestEpochs
{
    private readonly string _file;
    private readonly Dictionary<string, Seen> _seen;
    private readonly Lock _lock = new();

    public GuestEpochs(string file) =>
        (_file, _seen) = (file, DurableFile.ReadJson<Dictionary<string, Seen>>(file) ?? []);

    /// <summary>Whether a command of this epoch may still be carried out. An epoch belongs to one upgrade.</summary>
    public bool Allows(string guest, long epoch, Guid upgrade)
    {
        lock (_lock)
        {
            return !_seen.TryGetValue(guest, out Seen? newest) || epoch > newest.Epoch || (epoch == newest.Epoch && upgrade == newest.Upgrade);
        }
    }

    /// <summary>The newest epoch of a guest; null when none was seen.</summary>
    public long? Newest(string guest)
    {
        lock (_lock)
        {
            return _seen.GetValueOrDefault(guest)?.Epoch;
        }
    }

    /// <summary>Remembers an epoch that is allowed; on the disk when this returns.</summary>
    public void Advance(string guest, long epoch, Guid upgrade)
    {
        lock (_lock)
        {
            if (_seen.TryGetValue(guest, out Seen? newest) && epoch <= newest.Epoch)
            {
                return;
            }

            _seen[guest] = new Seen(epoch, upgrade);
            DurableFile.WriteJson(_file, _seen);
        }
    }

    private sealed record Seen(long Epoch, Guid Upgrade);
}
