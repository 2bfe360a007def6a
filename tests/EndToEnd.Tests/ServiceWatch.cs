using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Asks the guest's service at a port over and over, and notes which kernel answered when.</summary>
internal sealed class ServiceWatch : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<(string BootId, long At)> answers = new();
    private readonly Task asking;

    public ServiceWatch(IPEndPoint service) => asking = AskAsync(service, ending.Token);

    /// <summary>In their order; the time is a time stamp of this process.</summary>
    public IReadOnlyList<(string BootId, long At)> Answers => [.. answers];

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await asking;
        ending.Dispose();
    }

    private async Task AskAsync(IPEndPoint service, CancellationToken cancellation)
    {
        using UdpClient client = new();
        client.Connect(service);
        while (!cancellation.IsCancellationRequested)
        {
            byte[] question = Guid.NewGuid().ToByteArray();
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(Patience);
            try
            {
                await client.SendAsync(question, patience.Token);
                byte[] answer = [];
                while (!answer.AsSpan().StartsWith(question))
                {
                    // Answers to earlier questions may be under way still: QEMU keeps what it cannot deliver for a while.
                    answer = (await client.ReceiveAsync(patience.Token)).Buffer;
                }

                answers.Enqueue((Encoding.ASCII.GetString(answer.AsSpan(question.Length)), TimeProvider.System.GetTimestamp()));
                await Task.Delay(Pause, cancellation);
            }
            catch (OperationCanceledException)
            {
                // No answer in time, or the end.
            }
            catch (SocketException)
            {
                // Nobody listens there: the card is not plugged in.
                await Task.Delay(Patience, CancellationToken.None);
            }
        }
    }
}
