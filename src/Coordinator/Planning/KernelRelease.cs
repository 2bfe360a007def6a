using System.Globalization;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>Order of kernel releases (<c>uname -r</c>) by the numbers they begin with: 6.1.0-18-amd64 is 6, 1, 0, 18.</summary>
internal static class KernelRelease
{
    /// <summary>False when either is not known, or begins with no number.</summary>
    public static bool IsOlder(string? release, string? than)
    {
        int[] own = Numbers(release ?? ""), other = Numbers(than ?? "");
        return own.Length > 0 && other.Length > 0 && own.AsSpan().SequenceCompareTo(other) < 0;
    }

    private static int[] Numbers(string release)
    {
        List<int> numbers = [];
        foreach (string part in release.Split('.', '-'))
        {
            string digits = string.Concat(part.TakeWhile(char.IsAsciiDigit));
            if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                break;
            }

            numbers.Add(number);
            if (digits.Length < part.Length)
            {
                break;
            }
        }

        return [.. numbers];
    }
}
