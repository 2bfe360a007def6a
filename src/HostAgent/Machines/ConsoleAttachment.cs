using System.Net.Sockets;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// <c>hostagent console GUEST [1|2]</c>: this terminal becomes that of a guest's serial port, until Ctrl-] or the machine's end. The log of the
/// port goes on meanwhile. QEMU serves one at a time and lets others wait in silence; a lock beside the socket refuses them instead.
/// </summary>
internal sealed class ConsoleAttachment(string stateDirectory, Stream input, Stream output, TextWriter errors)
{
    /// <summary>Ctrl-], as telnet has it: no shell and no editor wants it.</summary>
    public const byte EscapeKey = 0x1d;

    private const int BufferBytes = 4096;

    /// <param name="arguments">Guest, and the number of the port: 1 when left out.</param>
    /// <returns>0 left by the escape key or at the end of the input; 1 no such machine, another one is attached, or the machine ended; 2 usage.</returns>
    public async Task<int> RunAsync(string[] arguments, CancellationToken cancellationToken)
    {
        if (arguments is not [{ Length: > 0 } guest, .. { Length: <= 1 } rest] || rest is [not ("1" or "2")])
        {
            return Usage.Error("console wants the name of a guest and, for its second serial port, 2: hostagent console GUEST [1|2].");
        }

        int port = rest is ["2"] ? 2 : 1;
        string socketPath = MachineFiles.ConsoleSocket(Path.Combine(Path.GetFullPath(stateDirectory), StateDirectory.SocketsName), guest, port);
        if (guest != Path.GetFileName(guest) || !File.Exists(socketPath))
        {
            return await FailAsync($"{guest} has no machine under {stateDirectory} (Host:StateDirectory): there is no {socketPath}.").ConfigureAwait(false);
        }

        try
        {
            await using FileStream held = new(socketPath + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken).ConfigureAwait(false);
            await errors.WriteLineAsync($"Attached to serial port {port} of {guest}. Ctrl-] leaves.").ConfigureAwait(false);
            using RawTerminal terminal = RawTerminal.Enter();
            return await RelayAsync(socket, guest, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            return await FailAsync($"{guest} does not run: nobody answers at {socketPath}.").ConfigureAwait(false);
        }
        catch (IOException) when (File.Exists(socketPath + ".lock"))
        {
            return await FailAsync($"Serial port {port} of {guest} is attached to already, by another 'hostagent console'; only one at a time can be.").ConfigureAwait(false);
        }
    }

    private async Task<int> RelayAsync(Socket socket, string guest, CancellationToken cancellationToken)
    {
        await using NetworkStream stream = new(socket, ownsSocket: false);
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task shown = ShowAsync(stream, ending.Token);
        // A read of a terminal cannot be cancelled: it is left behind when the machine ends first.
        Task typed = Task.Run(() => TypeAsync(stream, ending.Token), CancellationToken.None);
        if (await Task.WhenAny(shown, typed).ConfigureAwait(false) == typed)
        {
            await typed.ConfigureAwait(false);
            return 0;
        }

        return await FailAsync($"\r\nThe machine of {guest} ended.").ConfigureAwait(false);
    }

    private async Task ShowAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        int count;
        while ((count = await ReadAsync(stream, buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            await output.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>0 when the machine is gone, however it went.</summary>
    private static async Task<int> ReadAsync(NetworkStream stream, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private async Task TypeAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        int count;
        while ((count = await input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            int escape = buffer.AsSpan(0, count).IndexOf(EscapeKey);
            await stream.WriteAsync(buffer.AsMemory(0, escape < 0 ? count : escape), cancellationToken).ConfigureAwait(false);
            if (escape >= 0)
            {
                return;
            }
        }
    }

    private async Task<int> FailAsync(string message)
    {
        await errors.WriteLineAsync(message).ConfigureAwait(false);
        return 1;
    }
}
