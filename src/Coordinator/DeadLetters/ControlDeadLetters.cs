using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.DeadLetters;

/// <summary>Messages that nobody could handle: how many, which, why; once more, or away with them. A replayed one may be one too many: every consumer bears that.</summary>
public sealed class ControlDeadLetters(BrokerAddress broker, FleetTransaction transactions, TimeProvider time)
{
    private const uint DefaultLimit = 100, HighestLimit = 10_000;
    private const string Replay = "replay", Drop = "drop";

    public Task<Wire.DeadLetters> ListAsync(Wire.ListDeadLettersRequest request, CancellationToken cancellation)
    {
        if (request.Limit > HighestLimit)
        {
            throw Refusal.Invalid([("limit", $"({request.Limit}) must be at most {HighestLimit}; 0 means {DefaultLimit}.")]);
        }

        return WithQueueAsync(async queue =>
        {
            Wire.DeadLetters answer = new();
            uint limit = request.Limit == 0 ? DefaultLimit : request.Limit;
            uint left = 0;
            while (answer.Letters.Count < limit && await queue.TakeAsync(cancellation) is { } taken)
            {
                answer.Letters.Add(ToResponse(DeadLetter.Of(taken.BasicProperties, taken.Body)));
                left = taken.MessageCount;
            }

            // Not how many there were when the queue was opened: one that came since is among the letters.
            answer.Count = (uint)answer.Letters.Count + left;
            return answer;
        }, cancellation);
    }

    public async Task<Wire.DeadLetters> HandleAsync(Wire.ControlDeadLettersRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (request.Act is not (Replay or Drop))
        {
            violations.Add(("act", $"'{request.Act}' must be {Replay} or {Drop}."));
        }

        if (request.All == (request.Ids.Count > 0))
        {
            violations.Add(("ids", "must name messages, as `twinfleet dead-letters list` shows them, or all must be true; not both."));
        }

        if (violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        Wire.DeadLetters answer = await WithQueueAsync(queue => HandleAsync(queue, request, cancellation), cancellation);
        if (answer.Letters.Count > 0)
        {
            await transactions.RunAsync((db, _) =>
            {
                foreach (Wire.DeadLetter letter in answer.Letters)
                {
                    db.Note(time.GetUtcNow(), request.Actor, $"{request.Act}-dead-letter", letter.Id, $"{letter.Type} of {letter.Queue}: {letter.Reason}");
                }

                return Task.FromResult(0);
            }, cancellation);
        }

        return answer;
    }

    private static async Task<Wire.DeadLetters> HandleAsync(DeadLetterQueue queue, Wire.ControlDeadLettersRequest request, CancellationToken cancellation)
    {
        Wire.DeadLetters answer = new();
        HashSet<string> wanted = [.. request.Ids];
        // Those that come while this runs are left to the next time: a message that fails again at once must not go round and round.
        for (uint looked = 0; looked < queue.Count && (request.All || wanted.Count > 0) && await queue.TakeAsync(cancellation) is { } taken; looked++)
        {
            DeadLetter letter = DeadLetter.Of(taken.BasicProperties, taken.Body);
            if (!request.All && !wanted.Remove(letter.Id))
            {
                continue;
            }

            if (request.Act == Drop)
            {
                await queue.DropAsync(taken, cancellation);
            }
            else if (await queue.ReplayAsync(taken, letter, cancellation) is { } problem)
            {
                answer.Problems.Add(problem);
                continue;
            }

            answer.Letters.Add(ToResponse(letter));
        }

        answer.Problems.Add(wanted.Select(id => $"{id} is not there; see `twinfleet dead-letters list`."));
        answer.Count = queue.Count - (uint)answer.Letters.Count;
        return answer;
    }

    private async Task<Wire.DeadLetters> WithQueueAsync(Func<DeadLetterQueue, Task<Wire.DeadLetters>> work, CancellationToken cancellation)
    {
        try
        {
            await using DeadLetterQueue queue = await DeadLetterQueue.OpenAsync(broker, cancellation);
            return await work(queue);
        }
        catch (Exception e) when (e is BrokerUnreachableException or OperationInterruptedException or IOException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, $"The broker at {broker} could not be asked: {e.GetBaseException().Message}"));
        }
    }

    private static Wire.DeadLetter ToResponse(DeadLetter letter)
    {
        Wire.DeadLetter answer = new() { Id = letter.Id, Type = letter.Type, Queue = letter.Queue.Length > 0 ? letter.Queue : letter.Exchange, Reason = letter.Reason };
        if (letter.At is { } at)
        {
            answer.At = Timestamp.FromDateTimeOffset(at);
        }

        return answer;
    }
}
