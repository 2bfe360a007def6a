namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>
/// What the kernel offers for booting another kernel over itself. A boundary on purpose: the steps are tested against a model of it.
/// Source: kexec_file_load(2), reboot(2).
/// </summary>
public interface IKexec
{
    /// <summary>Loads a kernel with kexec_file_load; one that was loaded before is replaced.</summary>
    /// <param name="kernel">Path of the bzImage.</param>
    /// <param name="initrd">Path of the initramfs; null: none.</param>
    /// <param name="commandLine">Of the kernel.</param>
    /// <exception cref="KexecException">The kernel refuses.</exception>
    void Load(string kernel, string? initrd, string commandLine);

    /// <summary>Gives back the memory of the kernel that was loaded; without one, nothing happens.</summary>
    /// <exception cref="KexecException">The kernel refuses.</exception>
    void Unload();

    /// <summary>Jumps to the kernel that was loaded. Does not return on success.</summary>
    /// <exception cref="KexecException">The kernel refuses.</exception>
    void Execute();

    /// <summary>What the kernel logs while <paramref name="action"/> runs, oldest first; null when its log cannot be read.</summary>
    IReadOnlyList<string>? Listen(Action action);
}

/// <summary>The kernel refused a call.</summary>
/// <param name="call">Its name.</param>
/// <param name="errno">Why.</param>
public sealed class KexecException(string call, Errno errno) : IOException($"{call} was refused by the kernel: {errno}")
{
    public Errno Errno { get; } = errno;
}
