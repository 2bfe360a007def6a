using System.Collections.Frozen;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>Names of time zones.</summary>
internal static class ZoneText
{
    private static readonly FrozenSet<string> _names = DateTimeZoneProviders.Tzdb.Ids.ToFrozenSet();

    public static DateTimeZone? Read(string? text, string field, ICollection<Violation> violations)
    {
        if (text is not null && _names.Contains(text))
        {
            return DateTimeZoneProviders.Tzdb[text];
        }

        violations.Add(new Violation(field, text is null
            ? "The time zone is missing; Europe/Berlin, for instance, or UTC."
            : $"'{text}' is no zone of the IANA time zone data {DateTimeZoneProviders.Tzdb.VersionId}; Europe/Berlin is, for instance, or UTC."));
        return null;
    }
}
