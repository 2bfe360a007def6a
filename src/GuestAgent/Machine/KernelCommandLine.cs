namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>The words of a kernel command line. Double quotes keep spaces together, as the kernel has it.</summary>
public static class KernelCommandLine
{
    /// <summary>Splits at spaces outside of quotes.</summary>
    public static IReadOnlyList<string> Words(string line)
    {
        List<string> words = [];
        int start = -1;
        bool quoted = false;
        for (int i = 0; i <= line.Length; i++)
        {
            bool end = i == line.Length || (!quoted && char.IsWhiteSpace(line[i]));
            if (!end)
            {
                quoted ^= line[i] == '"';
                start = start < 0 ? i : start;
            }
            else if (start >= 0)
            {
                words.Add(line[start..i]);
                start = -1;
            }
        }

        return words;
    }

    /// <summary>The value of the last <c>name=value</c>; null when there is none.</summary>
    public static string? Value(string line, string name) =>
        Words(line).LastOrDefault(word => word.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..].Trim('"');
}
