using Microsoft.Extensions.Options;

namespace TwinKernel.Fleet.HostAgent.Configuration;

/// <summary>The places under <c>Host:StateDirectory</c>, and the lock that keeps a second agent out.</summary>
internal sealed class StateDirectory : IDisposable
{
    /// <summary>Name of the sockets' directory in the state directory.</summary>
    public const string SocketsName = "s";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly FileStream _lock;

    private StateDirectory(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    public string Machines => Sub("machines");

    /// <summary>Sockets lie apart, under a short name: the kernel allows 107 bytes for the path of one.</summary>
    public string Sockets => Sub(SocketsName);

    public string Upgrades => Sub("upgrades");

    public string AcceleratorFile => System.IO.Path.Combine(Path, "accelerator.json");

    public string EpochFile => System.IO.Path.Combine(Path, "epochs.json");

    /// <summary>Creates the directory when it is not there and takes its lock.</summary>
    /// <exception cref="IOException">Another agent holds the lock; the message names the directory.</exception>
    public static StateDirectory Open(string path)
    {
        string full = System.IO.Path.GetFullPath(path);
        Directory.CreateDirectory(full, OwnerOnly);
        string file = System.IO.Path.Combine(full, "agent.lock");
        try
        {
            return new StateDirectory(full, new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (File.Exists(file))
        {
            throw new IOException($"Another host agent runs on the state directory {full} (Host:StateDirectory); stop it, or give this one a directory of its own.", e);
        }
    }

    public static StateDirectory Open(IOptions<AgentOptions> options) => Open(options.Value.StateDirectory);

    public void Dispose() => _lock.Dispose();

    private string Sub(string name)
    {
        string path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(path, OwnerOnly);
        return path;
    }
}
