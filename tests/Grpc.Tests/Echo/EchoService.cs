using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Grpc.Core;

namespace TwinKernel.Fleet.Grpc.Tests.Echo;

/// <summary>Counts what the server side of a call saw.</summary>
public sealed class Observations
{
    private int cancelled;

    public int Cancelled => Volatile.Read(ref cancelled);

    public void CountCancelled() => Interlocked.Increment(ref cancelled);
}

/// <summary>As echo.proto says.</summary>
public class EchoService(Observations observations) : Echo.EchoBase
{
    public override async Task<Packet> Unary(Packet request, ServerCallContext context)
    {
        if (request.Number == -1)
        {
            return new Packet { Number = observations.Cancelled };
        }

        await BeginAsync(context);
        return request;
    }

    public override async Task<Packet> Upload(IAsyncStreamReader<Packet> requestStream, ServerCallContext context)
    {
        await BeginAsync(context);
        var failAfter = int.Parse(context.RequestHeaders.GetValue("x-fail-after") ?? "-1", CultureInfo.InvariantCulture);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long total = 0;
        var messages = 0;
        try
        {
            await foreach (var packet in requestStream.ReadAllAsync())
            {
                total += packet.Payload.Length;
                hash.AppendData(packet.Payload.Span);
                if (++messages == failAfter)
                {
                    throw new RpcException(new Status(StatusCode.InvalidArgument, "enough"));
                }
            }
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            observations.CountCancelled();
            throw;
        }

        return new Packet { Number = total, Payload = ByteString.CopyFrom(hash.GetHashAndReset()) };
    }

    public override async Task Download(Packet request, IServerStreamWriter<Packet> responseStream, ServerCallContext context)
    {
        await BeginAsync(context);
        try
        {
            for (long i = 0; request.Number < 0 || i < request.Number; i++)
            {
                await responseStream.WriteAsync(new Packet { Payload = request.Payload, Number = i });
            }
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            observations.CountCancelled();
            throw;
        }
    }

    public override async Task Chat(IAsyncStreamReader<Packet> requestStream, IServerStreamWriter<Packet> responseStream, ServerCallContext context)
    {
        await BeginAsync(context);
        while (await requestStream.MoveNext())
        {
            await responseStream.WriteAsync(requestStream.Current);
        }
    }

    private async Task BeginAsync(ServerCallContext context)
    {
        var headers = new Metadata();
        foreach (var entry in context.RequestHeaders.Where(entry => entry.Key.StartsWith("x-echo", StringComparison.Ordinal)))
        {
            headers.Add(entry);
            context.ResponseTrailers.Add(entry);
        }

        if (headers.Count > 0)
        {
            await context.WriteResponseHeadersAsync(headers);
        }

        if (context.RequestHeaders.GetValue("x-sleep-ms") is { } sleep)
        {
            try
            {
                await Task.Delay(int.Parse(sleep, CultureInfo.InvariantCulture), context.CancellationToken);
            }
            catch (OperationCanceledException)
            {
                observations.CountCancelled();
                throw;
            }
        }

        if (context.RequestHeaders.GetValue("x-fail-code") is { } code)
        {
            var text = Encoding.UTF8.GetString(context.RequestHeaders.GetValueBytes("x-fail-message-bin") ?? []);
            throw new RpcException(new Status((StatusCode)int.Parse(code, CultureInfo.InvariantCulture), text), new Metadata { { "x-detail-bin", [0, 255, 1, 254] } });
        }
    }
}
