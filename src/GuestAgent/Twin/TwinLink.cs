using System.Text.Json;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>Kernel A's end of the mailbox: one question, its answer.</summary>
public sealed class TwinLink(ITwinKernelDevice device, TimeProvider time)
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(1);

    /// <summary>How often it is looked whether kernel B is there yet: writes may be held meanwhile, for a patience of many seconds.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>Asks kernel B's agent and waits for its answer.</summary>
    /// <exception cref="StepFailure">It refused, did not answer within <paramref name="patience"/>, or has panicked.</exception>
    internal void Ask(uint instance, LinkMessage question, TimeSpan patience, CancellationToken cancellation)
    {
        long started = time.GetTimestamp();
        LinkMessage sent = question with { Sequence = unchecked((ulong)started) };
        Send(instance, sent, started, patience, cancellation);
        while (true)
        {
            TimeSpan left = patience - time.GetElapsedTime(started);
            cancellation.ThrowIfCancellationRequested();
            if (left <= TimeSpan.Zero)
            {
                throw Silent(question, patience);
            }

            if (device.Receive(instance, left < Look ? left : Look) is not { } bytes)
            {
                ThrowIfPanicked(instance, question);
                continue;
            }

            LinkMessage? answer = Read(bytes);
            if (answer?.Sequence != sent.Sequence)
            {
                continue;
            }

            if (answer.Kind != LinkMessage.Done)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, $"Kernel B's agent refused '{question.Kind}': {answer.Error}");
            }

            return;
        }
    }

    /// <summary>Null: not a message of this kind. What the other kernel wrote is never trusted to be well-formed.</summary>
    internal static LinkMessage? Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, LinkJson.Default.LinkMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal static byte[] Write(LinkMessage message) => JsonSerializer.SerializeToUtf8Bytes(message, LinkJson.Default.LinkMessage);

    private void Send(uint instance, LinkMessage message, long started, TimeSpan patience, CancellationToken cancellation)
    {
        byte[] bytes = Write(message);
        while (true)
        {
            try
            {
                device.Send(instance, bytes);
                return;
            }
            catch (DeviceException error) when (error.Errno == Errno.EAGAIN)
            {
                // The message before has not been fetched yet. Behind the cut-over's answer the token can only be looked at: its source is gone.
                cancellation.ThrowIfCancellationRequested();
                if (time.GetElapsedTime(started) >= patience)
                {
                    throw Silent(message, patience);
                }

                ThrowIfPanicked(instance, message);
                Thread.Sleep(Retry);
            }
        }
    }

    private void ThrowIfPanicked(uint instance, LinkMessage question)
    {
        if (device.Instances().Any(known => known.Id == instance && known.State == InstanceState.Panicked))
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.StandbyPanicked, $"Kernel B panicked and will not answer '{question.Kind}'; its console says why.");
        }
    }

    private static StepFailure Silent(LinkMessage question, TimeSpan patience) =>
        new(StatusCode.DeadlineExceeded, Reasons.StandbySilent, $"Kernel B's agent did not answer '{question.Kind}' within {patience.TotalSeconds:0.0} s.");
}
