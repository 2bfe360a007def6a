using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Asks the guest's service as a client on the host would.</summary>
internal static class UdpEcho
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <returns>Boot id of the kernel that answered.</returns>
    public static async Task<string> AskAsync(string address)
    {
        byte[] question = Guid.NewGuid().ToByteArray();
        using UdpClient client = new();
        client.Connect(IPEndPoint.Parse(address));
        using CancellationTokenSource deadline = new(Deadline);
        while (true)
        {
            await client.SendAsync(question, deadline.Token);
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
            patience.CancelAfter(Patience);
            try
            {
                byte[] answer = (await client.ReceiveAsync(patience.Token)).Buffer;
                answer.AsSpan(0, question.Length).SequenceEqual(question).ShouldBeTrue();
                return Encoding.ASCII.GetString(answer.AsSpan(question.Length));
            }
            catch (OperationCanceledException) when (!deadline.IsCancellationRequested)
            {
                // A datagram may be lost; the question is asked again.
            }
        }
    }
}
