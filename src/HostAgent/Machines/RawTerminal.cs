using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>The terminal at standard input, every key passed on as it is, until disposed of. Does nothing when there is none (termios(3)).</summary>
internal sealed class RawTerminal : IDisposable
{
    private const int StandardInput = 0;
    private const int AfterOutput = 1; /* TCSADRAIN */

    /// <summary>More than any libc's struct termios has; its members do not matter here.</summary>
    private const int TermiosBytes = 256;

    private readonly byte[]? _before;

    private RawTerminal(byte[]? before) => _before = before;

    public static RawTerminal Enter()
    {
        byte[] before = new byte[TermiosBytes];
        if (TcGetAttr(StandardInput, before) != 0)
        {
            return new RawTerminal(null);
        }

        byte[] raw = [.. before];
        CfMakeRaw(raw);
        _ = TcSetAttr(StandardInput, AfterOutput, raw);
        return new RawTerminal(before);
    }

    public void Dispose()
    {
        if (_before is not null)
        {
            _ = TcSetAttr(StandardInput, AfterOutput, _before);
        }
    }

    [DllImport("libc", EntryPoint = "tcgetattr")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int TcGetAttr(int file, [Out] byte[] termios);

    [DllImport("libc", EntryPoint = "tcsetattr")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int TcSetAttr(int file, int when, byte[] termios);

    [DllImport("libc", EntryPoint = "cfmakeraw")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void CfMakeRaw([In, Out] byte[] termios);
}
