using System.Text;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>Where the files of one machine lie.</summary>
internal sealed class MachineFiles
{
    /// <summary>Bytes of <c>sun_path</c> without the NUL at its end (unix(7)).</summary>
    private const int LongestSocketPath = 107;

    /// <exception cref="InvalidOperationException">A socket's path would be longer than the kernel allows.</exception>
    public MachineFiles(StateDirectory state, string guest)
    {
        Directory = Path.Combine(state.Machines, guest);
        System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string sockets = state.Sockets;
        Qmp = Path.Combine(sockets, guest + ".q");
        ConsoleSockets = [ConsoleSocket(sockets, guest, 1), ConsoleSocket(sockets, guest, 2)];
        int bytes = Encoding.UTF8.GetByteCount(Qmp);
        if (bytes > LongestSocketPath)
        {
            throw new InvalidOperationException(
                $"The socket path {Qmp} has {bytes} bytes; the kernel allows {LongestSocketPath}. Shorten Host:StateDirectory ({Encoding.UTF8.GetByteCount(state.Path)} bytes) or the guest's name ('{guest}').");
        }
    }

    public string Directory { get; }

    public string Qmp { get; }

    /// <summary>Sockets of the first and second serial port.</summary>
    public IReadOnlyList<string> ConsoleSockets { get; }

    /// <summary>Logs of the first and second serial port.</summary>
    public IReadOnlyList<string> ConsoleLogs => [Path.Combine(Directory, "console1.log"), Path.Combine(Directory, "console2.log")];

    public string Record => Path.Combine(Directory, "machine.json");

    public string Pid => Path.Combine(Directory, "pid");

    public string Token => Path.Combine(Directory, "token");

    /// <summary>Socket of a guest's serial port.</summary>
    /// <param name="port">1 or 2.</param>
    public static string ConsoleSocket(string sockets, string guest, int port) =>
        Path.Combine(sockets, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{guest}.{port}"));
}
