using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>
/// This kernel's agent asks itself for its status, over the loopback interface, by every layer that a host's call goes through: the first call of a
/// process is slow, and in kernel B a host waits for it behind the gap (docs/decisions/0018-the-gap-is-rehearsed.md).
/// </summary>
internal sealed partial class CallRehearsal(AgentOptions options, BearerToken token, TimeProvider time, ILogger<CallRehearsal> logger)
{
    private const int Rounds = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Never fails: without it a host waits longer. At most 10 s.</summary>
    public async Task RunAsync()
    {
        long started = Stopwatch.GetTimestamp();
        Metadata headers = new() { { "authorization", $"Bearer {token.Lend()}" } };
        try
        {
            for (int round = 0; round < Rounds; round++)
            {
                // A connection each: a host's first call has one of its own.
                using GrpcChannel channel = GrpcChannel.ForAddress($"http://127.0.0.1:{options.Port}");
                await new Wire.GuestAgent.GuestAgentClient(channel).GetStatusAsync(new Wire.StatusRequest(), headers, (time.GetUtcNow() + Patience / Rounds).UtcDateTime);
            }

            Log.Rehearsed(logger, Rounds, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (RpcException error)
        {
            Log.Failed(logger, error.Status.Detail);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(310, LogLevel.Information, "standby: {Rounds} calls rehearsed in {Milliseconds:0} ms")]
        public static partial void Rehearsed(ILogger logger, int rounds, double milliseconds);

        [LoggerMessage(311, LogLevel.Warning, "standby: no call could be rehearsed, so that the first one will be slow: {Message}")]
        public static partial void Failed(ILogger logger, string message);
    }
}
