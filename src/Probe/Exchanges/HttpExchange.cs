using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// GET over kept connections, one request at a time on each; a request for which none is free waits. Right is status 200 and the whole body.
/// An answer is timed where it arrives, on a thread of the pool.
/// </summary>
internal sealed class HttpExchange(Uri page, int connections, TimeSpan timeout, Measurement measurement, MonotonicClock clock) : IExchange
{
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        MaxConnectionsPerServer = connections,
        ConnectTimeout = timeout,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
        DefaultRequestVersion = HttpVersion.Version11,
    };

    private readonly ConcurrentQueue<(long Number, long At, string Outcome)> _ended = new();
    private readonly CancellationTokenSource _disposal = new();

    public long Remade => 0;

    public void Send(long number) => _ = AskAsync(number);

    public void Flush(long now)
    {
        while (_ended.TryDequeue(out var end))
        {
            if (end.Outcome == Outcome.Answered)
            {
                measurement.Answer(end.Number, end.At);
            }
            else
            {
                measurement.Fail(end.Number, end.Outcome);
            }
        }
    }

    public void Watch(PollSet descriptors)
    {
    }

    public void Ready(int token)
    {
    }

    public void Expired(long number)
    {
    }

    public void Dispose()
    {
        _disposal.Cancel();
        _client.Dispose();
    }

    private async Task AskAsync(long number)
    {
        string outcome;
        try
        {
            // The deadline counts from when the request was due.
            TimeSpan left = number < 0 ? timeout : timeout - TimeSpan.FromTicks((clock.Now - measurement.Due(number)) / TimeSpan.NanosecondsPerTick);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_disposal.Token);
            deadline.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            using HttpResponseMessage response = await _client.GetAsync(page, deadline.Token).ConfigureAwait(false);
            outcome = response.StatusCode == HttpStatusCode.OK ? Outcome.Answered : string.Create(CultureInfo.InvariantCulture, $"status-{(int)response.StatusCode}");
        }
        catch (OperationCanceledException)
        {
            outcome = Outcome.Unanswered;
        }
        catch (HttpRequestException e)
        {
            outcome = Of(e);
        }

        _ended.Enqueue((number, clock.Now, outcome));
    }

    private static string Of(HttpRequestException exception)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException socket)
            {
                return Outcome.Of(socket.SocketErrorCode);
            }
        }

        return exception.HttpRequestError is HttpRequestError.ResponseEnded ? Outcome.Closed : exception.HttpRequestError.ToString();
    }
}
