using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Tests.Fakes;

/// <summary>
/// The kernel's half of kexec: one image at a time, its verdict told as kernel/kexec_file.c does, in a message that shows only when it is switched on.
/// </summary>
internal sealed class FakeKexec(FakeGuest guest) : IKexec
{
    private const string Control = "/proc/dynamic_debug/control";
    private readonly List<string> _log = [];

    /// <summary>What the check of a signature gives; none: valid.</summary>
    public Errno Verdict { get; set; }

    /// <summary>What the load itself gives; none: success.</summary>
    public Errno Refusal { get; set; }

    public byte[]? Kernel { get; private set; }

    public byte[]? Initrd { get; private set; }

    public string CommandLine { get; private set; } = "";

    public int Loads { get; private set; }

    public int Jumps { get; private set; }

    public Action Jumping { get; set; } = () => { };

    /// <summary>The kernel lists the message among those that can be switched on; one of before 5.19 does not.</summary>
    public void Tells() => guest.Put(Control,
        "init/main.c:1 [main]initcall_blacklist =p \"blacklisting initcall %s\\012\"\n" +
        "kernel/kexec_file.c:187 [kexec_file]kimage_validate_signature =_ \"kernel signature verification failed (%d).\\012\"\n");

    public void Load(string kernel, string? initrd, string commandLine)
    {
        Loads++;
        if (Refusal != Errno.None)
        {
            throw new KexecException("kexec_file_load", Refusal);
        }

        if (Verdict != Errno.None && guest.TryRead(Control)?.EndsWith("+p", StringComparison.Ordinal) == true)
        {
            _log.Add($"kexec_file: kernel signature verification failed (-{(int)Verdict}).");
        }

        (Kernel, Initrd, CommandLine) = (File.ReadAllBytes(kernel), initrd is null ? null : File.ReadAllBytes(initrd), commandLine);
        guest.Put("/sys/kernel/kexec_loaded", "1\n");
    }

    public void Unload() => guest.Put("/sys/kernel/kexec_loaded", "0\n");

    public void Execute()
    {
        Jumps++;
        Jumping();
        throw new KexecException("reboot (kexec)", Errno.EBUSY);
    }

    public IReadOnlyList<string>? Listen(Action action)
    {
        int before = _log.Count;
        action();
        _log.Add("something else");
        return _log[before..];
    }
}
