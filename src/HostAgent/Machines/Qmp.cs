using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>Something that QEMU said on its own: <c>SHUTDOWN</c>, <c>RESET</c>, <c>GUEST_PANICKED</c>, …</summary>
internal sealed record QmpEvent(string Name, JsonObject Data);

/// <summary>QEMU refused a command or the connection broke.</summary>
internal sealed class QmpException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>
/// A client of the QEMU Machine Protocol over a Unix socket. QEMU serves one client at a time: a second one
/// gets no greeting, which <see cref="ConnectAsync"/> reports as a timeout.
/// </summary>
internal sealed class Qmp : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentDictionary<long, TaskCompletionSource<JsonNode?>> _waiting = new();
    private readonly Channel<QmpEvent> _events = Channel.CreateBounded<QmpEvent>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropOldest });
    private Task _reading = Task.CompletedTask;
    private long _lastId;

    private Qmp(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream);
    }

    /// <summary>Events in order; ends with the connection. The newest 256 are kept for a slow reader.</summary>
    public ChannelReader<QmpEvent> Events => _events.Reader;

    /// <summary>Completes, never in error, when the connection has ended.</summary>
    public Task Closed => _reading;

    /// <summary>Connects, reads the greeting and negotiates.</summary>
    /// <exception cref="QmpException">Nobody listens, or something else answers.</exception>
    /// <exception cref="TimeoutException">No greeting within <paramref name="timeout"/>.</exception>
    public static async Task<Qmp> ConnectAsync(string path, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Qmp? qmp = null;
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), deadline.Token).ConfigureAwait(false);
            qmp = new Qmp(socket);
            string? greeting = await qmp._reader.ReadLineAsync(deadline.Token).ConfigureAwait(false);
            if (greeting is null || JsonNode.Parse(greeting)?["QMP"] is null)
            {
                throw new QmpException($"{path} does not greet as QMP.");
            }

            qmp._reading = Task.Run(qmp.ReadAsync, CancellationToken.None);
            await qmp.ExecuteAsync("qmp_capabilities", null, timeout, deadline.Token).ConfigureAwait(false);
            return qmp;
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (qmp is not null)
            {
                await qmp.DisposeAsync().ConfigureAwait(false);
            }

            throw e switch
            {
                OperationCanceledException when !cancellationToken.IsCancellationRequested => new TimeoutException($"QEMU did not greet on {path} within {timeout}.", e),
                SocketException or JsonException or InvalidOperationException => new QmpException($"QMP at {path}: {e.Message}", e),
                _ => e,
            };
        }
    }

    /// <summary>Executes a command and gives its <c>return</c>.</summary>
    /// <exception cref="QmpException">QEMU refused it, or the connection ended before the answer.</exception>
    /// <exception cref="TimeoutException">No answer within <paramref name="timeout"/>.</exception>
    public async Task<JsonNode?> ExecuteAsync(string command, JsonObject? arguments, TimeSpan timeout, CancellationToken cancellationToken)
    {
        long id = Interlocked.Increment(ref _lastId);
        JsonObject request = new() { ["execute"] = command, ["id"] = id };
        if (arguments is not null)
        {
            request["arguments"] = arguments;
        }

        TaskCompletionSource<JsonNode?> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(request), (byte)'\n'];
            await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await _stream.WriteAsync(line, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                throw new QmpException($"QMP connection ended before '{command}' was sent.", e);
            }
            finally
            {
                _writing.Release();
            }

            if (_reading.IsCompleted)
            {
                answer.TrySetException(new QmpException($"QMP connection ended before '{command}' was answered."));
            }

            return await answer.Task.WaitAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"QEMU did not answer '{command}' within {timeout}.", e);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _reader.Dispose();
        _writing.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await _reader.ReadLineAsync().ConfigureAwait(false) is { } line)
            {
                if (JsonNode.Parse(line) is JsonObject message)
                {
                    Dispatch(message);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or JsonException or InvalidOperationException)
        {
            // A broken connection is an ended one; who waits is told below.
        }

        _events.Writer.TryComplete();
        foreach (TaskCompletionSource<JsonNode?> waiting in _waiting.Values)
        {
            waiting.TrySetException(new QmpException("QMP connection ended before the answer."));
        }
    }

    private void Dispatch(JsonObject message)
    {
        if (message["event"] is { } name)
        {
            _events.Writer.TryWrite(new QmpEvent(name.GetValue<string>(), message["data"]?.DeepClone() as JsonObject ?? []));
        }
        else if (message["id"] is { } id && _waiting.TryRemove(id.GetValue<long>(), out TaskCompletionSource<JsonNode?>? waiting))
        {
            if (message["error"] is { } error)
            {
                waiting.TrySetException(new QmpException($"QEMU refused: {error["desc"]}"));
            }
            else
            {
                waiting.TrySetResult(message["return"]?.DeepClone());
            }
        }
    }
}
