using System.Text.RegularExpressions;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>A heartbeat that says what cannot be; all of it at once. It is not tried again.</summary>
public sealed class InvalidHeartbeatException(string host, IReadOnlyList<string> errors)
    : Exception($"Heartbeat of host '{host}' refused: {string.Join(" ", errors)}");

/// <summary>What a heartbeat must keep to.</summary>
internal static partial class HeartbeatRules
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    public static void Check(HostHeartbeat beat)
    {
        List<string> errors = [];
        if (!IsName(beat.Host))
        {
            errors.Add("Host must be 1 to 63 lower-case letters, digits, dots and hyphens.");
        }

        if (beat.Interval <= TimeSpan.Zero || beat.Interval > Longest)
        {
            errors.Add($"Interval ({beat.Interval}) must be above 0 and at most {Longest}.");
        }

        if (beat.Sequence < 1)
        {
            errors.Add($"Sequence ({beat.Sequence}) begins at 1.");
        }

        foreach (GuestReport guest in beat.Guests.Where(guest => !IsName(guest.Guest)))
        {
            errors.Add($"Guest name '{guest.Guest}' must be 1 to 63 lower-case letters, digits, dots and hyphens.");
        }

        foreach (IGrouping<string, GuestReport> twice in beat.Guests.GroupBy(guest => guest.Guest).Where(same => same.Skip(1).Any()))
        {
            errors.Add($"Guest '{twice.Key}' is reported more than once.");
        }

        foreach (ImageReport image in beat.Images.Where(image => !DigestForm().IsMatch(image.Digest)))
        {
            errors.Add($"Image digest '{image.Digest}' is not sha256: and 64 lower-case hex digits.");
        }

        errors.AddRange(LabelForm.Errors(beat.Labels).Select(error => $"Host: {error}"));
        errors.AddRange(beat.Guests.SelectMany(guest => LabelForm.Errors(guest.Labels).Select(error => $"Guest '{guest.Guest}': {error}")));

        if (errors.Count > 0)
        {
            throw new InvalidHeartbeatException(beat.Host, errors);
        }
    }

    public static bool IsName(string name) => NameForm().IsMatch(name);

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\z")]
    private static partial Regex NameForm();

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex DigestForm();
}
