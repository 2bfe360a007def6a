using System.Runtime.InteropServices;
using System.Text;

namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>The calls themselves. The kernel's log is <c>/dev/kmsg</c>, one record a read.</summary>
internal sealed class KexecCalls : IKexec
{
    private const string Log = "/dev/kmsg";
    private const int LongestRecord = 8192;
    private const nuint UnloadFlag = 1;
    private const nuint NoInitramfsFlag = 4;

    public unsafe void Load(string kernel, string? initrd, string commandLine)
    {
        using Descriptor image = new(kernel, Libc.ReadOnly);
        using Descriptor ramdisk = initrd is null ? default : new Descriptor(initrd, Libc.ReadOnly);
        byte[] line = [.. Encoding.UTF8.GetBytes(commandLine), 0];
        fixed (byte* first = line)
        {
            Call("kexec_file_load", Libc.LoadKexec(Libc.KexecFileLoad, image.Number, ramdisk.Number, (nuint)line.Length, first, initrd is null ? NoInitramfsFlag : 0));
        }
    }

    public unsafe void Unload() => Call("kexec_file_load (unload)", Libc.LoadKexec(Libc.KexecFileLoad, -1, -1, 0, null, UnloadFlag));

    public void Execute()
    {
        Libc.Sync();
        Call("reboot (kexec)", Libc.Reboot(Libc.RebootKexec));
    }

    public IReadOnlyList<string>? Listen(Action action)
    {
        int descriptor = Libc.Open(Log, Libc.ReadOnly | Libc.NonBlocking | Libc.CloseOnExec);
        if (descriptor < 0 || Libc.Seek(descriptor, 0, Libc.SeekEnd) < 0)
        {
            action();
            return null;
        }

        try
        {
            action();
            return ReadRecords(descriptor);
        }
        finally
        {
            Libc.Close(descriptor);
        }
    }

    /// <summary>A record is <c>priority,number,time,flags;text</c>, then lines that begin with a space. One that was overwritten meanwhile reads as EPIPE.</summary>
    private static unsafe List<string>? ReadRecords(int descriptor)
    {
        List<string> records = [];
        byte* buffer = stackalloc byte[LongestRecord];
        while (true)
        {
            nint bytes = Libc.Read(descriptor, buffer, LongestRecord);
            if (bytes <= 0)
            {
                return (Errno)Marshal.GetLastPInvokeError() == Errno.EAGAIN ? records : null;
            }

            string record = Encoding.UTF8.GetString(buffer, (int)bytes);
            records.Add(record[(record.IndexOf(';', StringComparison.Ordinal) + 1)..].Split('\n')[0]);
        }
    }

    private static void Call(string name, nint result)
    {
        if (result < 0)
        {
            throw new KexecException(name, (Errno)Marshal.GetLastPInvokeError());
        }
    }

    private readonly struct Descriptor : IDisposable
    {
        private readonly int _number;

        public Descriptor(string path, int flags)
        {
            _number = Libc.Open(path, flags | Libc.CloseOnExec);
            Call($"open {path}", _number);
        }

        public int Number => _number == 0 ? -1 : _number;

        public void Dispose()
        {
            if (_number > 0)
            {
                Libc.Close(_number);
            }
        }
    }
}
