namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>
/// Keeps the kernel's lesser messages off the console for the length of the gap: a serial port without an interrupt is written to byte by
/// byte, by the CPU that takes over (about 5 ms a line at 115200 baud). They stay in the kernel's log; errors are shown as always.
/// Source: Documentation/admin-guide/sysctl/kernel.rst, printk.
/// </summary>
public sealed class QuietConsole(KernelFiles files)
{
    private const string Levels = "/proc/sys/kernel/printk";

    /// <summary>Messages below this number are shown: errors (3) are, warnings (4) are not.</summary>
    private const string ErrorsOnly = "4";
    private string? _before;

    /// <summary>Only errors from here on. Does nothing where the level cannot be read.</summary>
    public void Begin()
    {
        if (_before is null && files.TryRead(Levels)?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [string current, ..])
        {
            _before = current;
            Set(ErrorsOnly);
        }
    }

    /// <summary>What was shown before is shown again.</summary>
    public void End()
    {
        if (_before is { } before)
        {
            _before = null;
            Set(before);
        }
    }

    private void Set(string level)
    {
        try
        {
            files.Write(Levels, level);
        }
        catch (IOException)
        {
            // What the console shows decides nothing about a hand-over.
        }
    }
}
