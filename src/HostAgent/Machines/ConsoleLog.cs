using System.Text;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>Reads the log of a serial port without holding much of it.</summary>
internal static class ConsoleLog
{
    private const int MostBytes = 64 * 1024;

    /// <summary>Its length in bytes; 0 when there is none.</summary>
    public static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    /// <summary>What was written after <paramref name="offset"/>, at most the last 64 KiB of it.</summary>
    public static string After(string path, long offset)
    {
        if (!File.Exists(path))
        {
            return "";
        }

        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        long from = Math.Max(offset > stream.Length ? 0 : offset, stream.Length - MostBytes);
        stream.Position = from;
        byte[] bytes = new byte[(int)Math.Max(0, stream.Length - from)];
        int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return Encoding.UTF8.GetString(bytes, 0, read);
    }

    /// <summary>The last lines that are not empty, joined with <c> | </c>, free of control characters.</summary>
    public static string Tail(string path, int lines, long offset = 0)
    {
        string[] all = Lines(After(path, offset));
        return all.Length == 0 ? "(nothing)" : string.Join(" | ", all.TakeLast(lines));
    }

    public static string[] Lines(string text) =>
        [.. text.Split('\n').Select(Clean).Where(l => l.Length > 0)];

    private static string Clean(string line) => new([.. line.Where(c => !char.IsControl(c))]);
}
