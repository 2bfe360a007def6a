using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>How a child ended.</summary>
/// <param name="ExitCode">Of the program; 128 and the signal's number when a signal ended it; null: it was killed when its time was over.</param>
/// <param name="LastLines">The end of what it wrote, to both outputs.</param>
internal readonly record struct ChildEnd(int? ExitCode, IReadOnlyList<string> LastLines);

/// <summary>
/// A program in a session, and so a process group, of its own: what it starts ends with it. The runtime's own class cannot do that.
/// Standard input is empty; both outputs come here.
/// </summary>
internal sealed unsafe class ChildProcess
{
    private const int LineLimit = 10;
    private const int LongestLine = 300;
    private const int OpaqueBytes = 512; // posix_spawnattr_t has 336, posix_spawn_file_actions_t 80 bytes
    private const short SetSignalDefaults = 0x04;
    private const short SetSignalMask = 0x08;
    private const short SetSession = 0x80;
    private const int BrokenPipe = 13;
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(1);

    private readonly Queue<string> _lines = new();
    private readonly Thread _reader;
    private readonly ProcessHandle _process;

    private ChildProcess(ProcessHandle process, FileStream output)
    {
        _process = process;
        _reader = new Thread(() => Read(output)) { IsBackground = true, Name = "child output" };
        _reader.Start();
    }

    /// <summary>Starts a program that outlives the agent.</summary>
    /// <param name="command">An absolute path, and arguments.</param>
    /// <param name="environment">All of it: nothing is inherited.</param>
    /// <param name="output">A file or device for both outputs.</param>
    /// <param name="blocked">A signal that it has to take by itself, so that none comes before it can; 0: none.</param>
    /// <exception cref="IOException">It cannot be started.</exception>
    public static ProcessHandle Detach(IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment, string output, int blocked = 0)
    {
        int descriptor = Libc.Open(output, Libc.WriteOnly | Libc.CloseOnExec);
        if (descriptor < 0)
        {
            throw new IOException($"{output}: {(Errno)Marshal.GetLastPInvokeError()}");
        }

        using SafeFileHandle owner = new(descriptor, ownsHandle: true);
        return Spawn(command, environment, descriptor, blocked);
    }

    /// <summary>Runs a program to its end, or kills it and all that it has started when its time is over.</summary>
    /// <exception cref="IOException">It cannot be started.</exception>
    public static ChildEnd Run(IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment, TimeSpan deadline)
    {
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.CloseOnExec) != 0)
        {
            throw new IOException($"pipe: {(Errno)Marshal.GetLastPInvokeError()}");
        }

        FileStream output = new(new SafeFileHandle(ends[0], ownsHandle: true), FileAccess.Read, bufferSize: 1);
        ChildProcess child;
        using (SafeFileHandle input = new(ends[1], ownsHandle: true))
        {
            try
            {
                child = new ChildProcess(Spawn(command, environment, ends[1]), output);
            }
            catch
            {
                output.Dispose();
                throw;
            }
        }

        int? exitCode = child._process.WaitForExit(deadline);
        child.End(exitCode is null);
        return new ChildEnd(exitCode, child.LastLines());
    }

    /// <summary>The group's id stays taken as long as one of it lives.</summary>
    private void End(bool runs)
    {
        _process.KillGroup();
        if (runs)
        {
            _process.WaitForExit(EndPatience);
        }

        _reader.Join(EndPatience);
    }

    private string[] LastLines()
    {
        lock (_lines)
        {
            return [.. _lines];
        }
    }

    private static ProcessHandle Spawn(IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment, int output, int blocked = 0)
    {
        byte* attributes = stackalloc byte[OpaqueBytes];
        byte* actions = stackalloc byte[OpaqueBytes];
        ulong* signals = stackalloc ulong[16];
        new Span<ulong>(signals, 16).Clear();
        Libc.SpawnAttributes(attributes);
        Libc.SpawnActions(actions);
        nint[] arguments = Strings(command);
        nint[] variables = Strings(environment.Select(variable => $"{variable.Key}={variable.Value}").Prepend("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        try
        {
            signals[0] = blocked == 0 ? 0 : 1ul << (blocked - 1);
            Libc.SpawnMask(attributes, signals);
            signals[0] = 1ul << (BrokenPipe - 1);
            Libc.SpawnDefaults(attributes, signals);
            Libc.SpawnFlags(attributes, SetSession | SetSignalMask | SetSignalDefaults);
            Libc.SpawnOpen(actions, 0, "/dev/null", Libc.ReadOnly, 0);
            Libc.SpawnDuplicate(actions, output, 1);
            Libc.SpawnDuplicate(actions, output, 2);
            fixed (nint* argv = arguments)
            fixed (nint* envp = variables)
            {
                int error = Libc.Spawn(out int pid, command[0], actions, attributes, argv, envp);
                return error == 0
                    ? ProcessHandle.Open(pid) ?? new ProcessHandle(pid, "")
                    : throw new IOException($"{command[0]} cannot be started: {(Errno)error}");
            }
        }
        finally
        {
            foreach (nint text in arguments.Concat(variables))
            {
                Marshal.FreeCoTaskMem(text);
            }

            Libc.SpawnActionsEnd(actions);
            Libc.SpawnAttributesEnd(attributes);
        }
    }

    private static nint[] Strings(IEnumerable<string> texts) => [.. texts.Select(Marshal.StringToCoTaskMemUTF8), 0];

    private void Read(FileStream output)
    {
        using StreamReader reader = new(output, Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            string shown = line.Length > LongestLine ? line[..LongestLine] : line;
            lock (_lines)
            {
                _lines.Enqueue(shown);
                while (_lines.Count > LineLimit)
                {
                    _lines.Dequeue();
                }
            }
        }
    }
}
