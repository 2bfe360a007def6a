using System.Globalization;
using System.Text;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>
/// The kernel's files, <c>/proc</c>, <c>/sys</c>, <c>/dev</c> and <c>/run</c>, under a root that tests set to a directory of their own.
/// Values are read trimmed; a write is one write call, as attributes need it.
/// </summary>
public class KernelFiles(string root = "/")
{
    /// <summary>The real path of a path that is absolute in the guest.</summary>
    public string At(string path) => Path.Join(root, path);

    public bool Exists(string path) => Path.Exists(At(path));

    /// <summary>The content without white space at its ends.</summary>
    /// <exception cref="IOException">There is no such file, or the kernel refuses.</exception>
    public string Read(string path) => File.ReadAllText(At(path)).Trim();

    public string? TryRead(string path)
    {
        try
        {
            return Read(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public byte[] ReadBytes(string path) => File.ReadAllBytes(At(path));

    /// <summary>A number in decimal, or hexadecimal as <c>block_size_bytes</c> has it.</summary>
    public ulong ReadHex(string path) => ulong.Parse(Read(path), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>Writes an attribute.</summary>
    /// <exception cref="IOException">The kernel refuses; the message carries its errno's text.</exception>
    public virtual void Write(string path, string value)
    {
        try
        {
            using FileStream file = new(At(path), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(Encoding.ASCII.GetBytes(value));
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException($"'{value}' to {path}: {error.Message}", error);
        }
        catch (IOException error)
        {
            throw new IOException($"'{value}' to {path}: {error.Message}", error);
        }
    }

    /// <summary>Names in a directory; none if it does not exist.</summary>
    public IEnumerable<string> List(string directory) =>
        Directory.Exists(At(directory)) ? Directory.EnumerateFileSystemEntries(At(directory)).Select(entry => Path.GetFileName(entry)) : [];

    /// <summary>Where a symbolic link leads, fully resolved, as the kernel would write it; null when it is none.</summary>
    public string? Resolve(string path)
    {
        FileSystemInfo? target = Directory.Exists(At(path))
            ? new DirectoryInfo(At(path)).ResolveLinkTarget(returnFinalTarget: true)
            : null;
        return target?.FullName;
    }
}
