using System.Globalization;

namespace TwinKernel.Fleet.BootImage;

/// <summary>Collects the reasons for a refusal, so that all are reported at once.</summary>
internal sealed class Violations(string subject)
{
    private readonly List<BootImageViolation> _found = [];

    public int Count => _found.Count;

    public void Add(string field, string expected, string found) => _found.Add(new BootImageViolation(field, expected, found));

    public void Require(bool holds, string field, string expected, string found)
    {
        if (!holds)
        {
            Add(field, expected, found);
        }
    }

    public void ThrowIfAny()
    {
        if (_found.Count > 0)
        {
            throw new BootImageException(subject, _found);
        }
    }

    public static string Hex(ulong value) => string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");
}
