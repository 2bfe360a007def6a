using System.Globalization;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Loads an image into this kernel, which checks its signature on the way, as kexec_file_load does (CONFIG_KEXEC_SIG). Where a signature is not
/// enforced the kernel loads the image all the same and tells its verdict in one message for debugging only, which is switched on for the
/// length of the call; a kernel without that message leaves the verdict open. Source: kernel/kexec_file.c, kimage_validate_signature.
/// </summary>
public sealed class KexecImage(IKexec kexec, KernelFiles files)
{
    /// <summary>The only verdict that satisfies who requires a signature.</summary>
    public const string Valid = "valid";

    private const string LoadedPath = "/sys/kernel/kexec_loaded";
    private const string LockdownPath = "/sys/kernel/security/lockdown";
    private const string DebugPath = "/proc/dynamic_debug/control";
    private const string Site = "format \"kernel signature verification failed\"";
    private const string Message = "kernel signature verification failed (-";
    private const string Directory = "/run/twinkernel/kexec";

    /// <summary>Whether an image is loaded; null: this kernel has no kexec.</summary>
    public bool? IsLoaded => files.TryRead(LoadedPath) is { } loaded ? loaded != "0" : null;

    /// <summary>Whether nothing but a valid signature will do: it was asked for, or the kernel is locked down.</summary>
    public bool Requires(bool asked) => asked || files.TryRead(LockdownPath)?.Contains("[none]", StringComparison.Ordinal) == false;

    /// <summary>Loads the image for a jump and gives the verdict on its signature.</summary>
    /// <exception cref="KexecException">The kernel refuses the image, as it does a wrong signature under lockdown.</exception>
    public string Load(ReadOnlySpan<byte> kernel, ReadOnlySpan<byte> initrd, string commandLine)
    {
        try
        {
            string image = Put("kernel", kernel), ramdisk = Put("initrd", initrd);
            return Judge(() => kexec.Load(image, ramdisk, commandLine));
        }
        finally
        {
            RemoveFiles();
        }
    }

    /// <summary>Asks for the verdict only: the image is loaded and unloaded again. An image that somebody else has loaded is left alone.</summary>
    public string Ask(ReadOnlySpan<byte> kernel)
    {
        if (IsLoaded != false)
        {
            return IsLoaded is null ? "unavailable: this kernel has no kexec" : "unavailable: another image is loaded for kexec";
        }

        try
        {
            string image = Put("kernel", kernel);
            string verdict = Judge(() => kexec.Load(image, null, ""));
            kexec.Unload();
            return verdict;
        }
        catch (KexecException refused)
        {
            // Where a signature is enforced, the refusal is the verdict.
            return OfErrno(refused.Errno) ?? $"unavailable: {refused.Message}";
        }
        finally
        {
            RemoveFiles();
        }
    }

    /// <exception cref="KexecException">The kernel refuses.</exception>
    public void Unload()
    {
        if (IsLoaded == true)
        {
            kexec.Unload();
        }
    }

    private string Judge(Action load)
    {
        string? site = files.TryRead(DebugPath)?.Split('\n').FirstOrDefault(line => line.Contains("kernel signature verification failed (%d)", StringComparison.Ordinal));
        bool toldAnyway = site?.Contains("=p", StringComparison.Ordinal) == true;
        if (site is null || !(toldAnyway || Switch("+p")))
        {
            load();
            return "unavailable: this kernel does not tell";
        }

        try
        {
            return kexec.Listen(load) switch
            {
                null => "unavailable: the kernel's log cannot be read",
                { } log when log.LastOrDefault(line => line.Contains(Message, StringComparison.Ordinal)) is { } line => OfLine(line),
                _ => Valid,
            };
        }
        finally
        {
            if (!toldAnyway)
            {
                Switch("-p");
            }
        }
    }

    private bool Switch(string flag)
    {
        try
        {
            files.Write(DebugPath, $"{Site} {flag}");
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string OfLine(string line)
    {
        string number = line[(line.IndexOf(Message, StringComparison.Ordinal) + Message.Length)..].Split(')')[0];
        return (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int errno) ? OfErrno((Errno)errno) : null) ?? $"unavailable: the kernel said '{line}'";
    }

    /// <summary>What verify_pefile_signature's errnos mean; null: something else went wrong.</summary>
    private static string? OfErrno(Errno errno) => errno switch
    {
        Errno.ENODATA => "unsigned",
        Errno.ENOKEY or Errno.ENOPKG => "untrusted",
        Errno.EKEYREJECTED or Errno.EBADMSG or Errno.ELIBBAD => "invalid",
        _ => null,
    };

    /// <summary>The kernel reads no file that somebody may still write.</summary>
    private string Put(string name, ReadOnlySpan<byte> bytes)
    {
        System.IO.Directory.CreateDirectory(files.At(Directory), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string path = files.At($"{Directory}/{name}");
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        file.Write(bytes);
        return path;
    }

    private void RemoveFiles()
    {
        if (System.IO.Directory.Exists(files.At(Directory)))
        {
            System.IO.Directory.Delete(files.At(Directory), recursive: true);
        }
    }
}
