using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>Labels of hosts and guests: an object in one column.</summary>
internal static class LabelColumn
{
    /// <summary>All labels by which a guest is selected: its host's, its own, and the two names.</summary>
    public static Dictionary<string, string> Of(HostRecord host, string guest, IReadOnlyDictionary<string, string> own)
    {
        Dictionary<string, string> labels = new(host.Labels);
        foreach ((string key, string value) in own)
        {
            labels[key] = value;
        }

        labels["host"] = host.Name;
        labels["guest"] = guest;
        return labels;
    }

    public static void IsLabels(this PropertyBuilder<Dictionary<string, string>> column) => column
        .HasColumnType("jsonb")
        .HasDefaultValueSql("'{}'::jsonb")
        .HasConversion(
            labels => JsonSerializer.Serialize(labels, JsonSerializerOptions.Default),
            text => JsonSerializer.Deserialize<Dictionary<string, string>>(text, JsonSerializerOptions.Default)!,
            new ValueComparer<Dictionary<string, string>>(
                (one, other) => one!.Count == other!.Count && !one.Except(other).Any(),
                labels => labels.Count,
                labels => new Dictionary<string, string>(labels)));
}
