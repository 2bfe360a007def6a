using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>Completes when a call's answer has left this kernel and the peer's has acknowledged it, so that the kernel may end.</summary>
internal static class AnswerDelivery
{
    private const uint UnacknowledgedBytes = 0x5411; // SIOCOUTQ
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(2);

    /// <summary>To be called before the call's handler returns. Never fails; completes at the latest 100 ms behind the answer.</summary>
    public static Task Of(HttpContext http)
    {
        Socket? socket = http.Features.Get<IConnectionSocketFeature>()?.Socket;
        TaskCompletionSource completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        http.Response.OnCompleted(() =>
        {
            completed.SetResult();
            return Task.CompletedTask;
        });
        return WaitAsync(completed.Task, socket);
    }

    private static async Task WaitAsync(Task answered, Socket? socket)
    {
        await answered;
        long started = Stopwatch.GetTimestamp();
        do
        {
            // The response is in the transport's queue when its completion is reported, and in the socket a moment later.
            await Task.Delay(Settle);
        }
        while (socket is not null && Pending(socket) != 0 && Stopwatch.GetElapsedTime(started) < Limit);
    }

    private static unsafe int Pending(Socket socket)
    {
        int bytes = 0;
        try
        {
            return Libc.Ioctl((int)socket.Handle, UnacknowledgedBytes, &bytes) == 0 ? bytes : 0;
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }
}
