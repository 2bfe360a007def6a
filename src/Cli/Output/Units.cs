using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace TwinKernel.Fleet.Cli.Output;

/// <summary>Numbers as people read them, the same in every locale.</summary>
internal static class Units
{
    private const double MiB = 1024 * 1024;

    /// <summary>Three or four significant digits: 850 ns, 12.3 us, 87.0 ms, 1.24 s, 2 min 05 s.</summary>
    public static string Time(TimeSpan time) => Nanoseconds(time.Ticks * (double)TimeSpan.NanosecondsPerTick);

    public static string Time(Duration duration) => Nanoseconds((duration.Seconds * 1e9) + duration.Nanos);

    public static string Nanoseconds(double nanoseconds) => nanoseconds switch
    {
        < 1e3 => Number(nanoseconds, "0") + " ns",
        < 999.95e3 => Number(nanoseconds / 1e3, "0.0") + " us",
        < 999.95e6 => Number(nanoseconds / 1e6, "0.0") + " ms",
        < 59.995e9 => Number(nanoseconds / 1e9, "0.00") + " s",
        _ => $"{Math.Floor(Math.Round(nanoseconds / 1e9) / 60):0} min {Math.Round(nanoseconds / 1e9) % 60:00} s",
    };

    /// <summary>Like <see cref="Time(Duration)"/>, without decimals that say nothing: 1 ms, 0.5 ms.</summary>
    public static string Interval(Duration duration)
    {
        var milliseconds = ((duration.Seconds * 1e9) + duration.Nanos) / 1e6;
        return Number(milliseconds, "0.###") + " ms";
    }

    public static string Bytes(ulong bytes) => bytes >= 100 * 1024 * (ulong)MiB
        ? Number(bytes / MiB / 1024, "#,0.0") + " GiB"
        : Number(bytes / MiB, "#,0.0") + " MiB";

    public static string Count(ulong count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    public static string Moment(Timestamp? moment) =>
        moment?.ToDateTimeOffset().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    /// <summary>Enough of a digest to name the image again.</summary>
    public static string Digest(string digest) => digest.Length > 19 ? digest[..19] : digest;

    public static string Labels(IEnumerable<KeyValuePair<string, string>> labels) =>
        string.Join(',', labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}={label.Value}"));

    /// <summary>As the kernel lists numbers: 0-3,5.</summary>
    public static string Ranges(IEnumerable<uint> numbers)
    {
        var runs = new List<(uint First, uint Last)>();
        foreach (var number in numbers.Order())
        {
            if (runs.Count > 0 && runs[^1].Last + 1 == number)
            {
                runs[^1] = (runs[^1].First, number);
            }
            else
            {
                runs.Add((number, number));
            }
        }

        return string.Join(',', runs.Select(run => run.First == run.Last ? $"{run.First}" : $"{run.First}-{run.Last}"));
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
