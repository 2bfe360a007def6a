using System.Collections.Concurrent;
using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>
/// A host agent on the real broker: the boundary of the coordinator. It answers as the contract says, journalling by
/// (upgrade, step), unless <see cref="OnCommand"/> does otherwise.
/// </summary>
internal sealed class TestHostAgent : IAsyncDisposable
{
    private readonly IBusControl _bus;
    private readonly string[] _guests;
    private long _sequence;

    private TestHostAgent(string host, string[] guests, Uri broker)
    {
        Host = host;
        _guests = guests;
        string[] login = broker.UserInfo.Split(':', 2);
        _bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(broker.Host, (ushort)broker.Port, broker.AbsolutePath.Trim('/'), access =>
            {
                access.Username(login[0]);
                access.Password(login[1]);
            });
            rabbit.ReceiveEndpoint(QueueNames.Host(host), queue =>
            {
                queue.ConcurrentMessageLimit = 8;
                queue.ConfigureConsumeTopology = false;
                queue.Bind<PaceHeartbeats>();
                queue.Handler<ExecuteStep>(context =>
                {
                    Commands.Enqueue((context.MessageId!.Value, context.Message));
                    return (OnCommand ?? AnswerAsync)(context.Message);
                });
                queue.Handler<InspectGuest>(context => OnInspect?.Invoke(context.Message) is { } answer ? context.RespondAsync(answer) : Task.CompletedTask);
                queue.Handler<PaceHeartbeats>(context =>
                {
                    Paces.Enqueue(context.Message.Interval);
                    return Task.CompletedTask;
                });
                queue.Handler<RunGateCommand>(context => OnGateCommand?.Invoke(context.Message) is { } answer ? context.RespondAsync(answer) : Task.CompletedTask);
            });
        });
    }

    public string Host { get; }

    public Guid Incarnation { get; } = Guid.NewGuid();

    public DateTimeOffset StartedAt { get; init; } = TimeProvider.System.GetUtcNow();

    /// <summary>All that came, repeats included.</summary>
    public ConcurrentQueue<(Guid MessageId, ExecuteStep Command)> Commands { get; } = [];

    /// <summary>How often it was told to beat.</summary>
    public ConcurrentQueue<TimeSpan> Paces { get; } = [];

    /// <summary>What this host's Preflight chooses when it is left to it.</summary>
    public UpgradeStrategy Possible { get; set; } = UpgradeStrategy.Twin;

    /// <summary>Instead of <see cref="AnswerAsync"/>.</summary>
    public Func<ExecuteStep, Task>? OnCommand { get; set; }

    /// <summary>The answer to a question about a guest; absent or null: silence.</summary>
    public Func<InspectGuest, GuestInspected?>? OnInspect { get; set; }

    /// <summary>What a gate command says; null: no answer.</summary>
    public Func<RunGateCommand, GateCommandEnded?>? OnGateCommand { get; set; }

    public static async Task<TestHostAgent> StartAsync(Uri broker, string host, params string[] guests)
    {
        TestHostAgent agent = new(host, guests, broker);
        await agent._bus.StartAsync(TimeSpan.FromSeconds(60));
        return agent;
    }

    public IEnumerable<UpgradeStep> StepsAsked(Guid upgrade) =>
        Commands.Where(one => one.Command.UpgradeId == upgrade).DistinctBy(one => one.MessageId).Select(one => one.Command.Step);

    public async Task AnswerAsync(ExecuteStep command)
    {
        await SayAsync(Accepted(command));
        await SayAsync(new StepProgressed
        {
            UpgradeId = command.UpgradeId,
            Host = Host,
            Epoch = command.Epoch,
            Step = command.Step,
            Message = $"{command.Step} goes on",
        });
        await SayAsync(Completed(command));
    }

    public StepAccepted Accepted(ExecuteStep command) =>
        new() { UpgradeId = command.UpgradeId, Host = Host, Epoch = command.Epoch, Step = command.Step };

    public StepCompleted Completed(ExecuteStep command) => new()
    {
        UpgradeId = command.UpgradeId,
        Host = Host,
        Epoch = command.Epoch,
        Step = command.Step,
        Timings = TimingsOf(command.Step),
        Guest = Observation(command.Step is UpgradeStep.Commit or UpgradeStep.Probation or UpgradeStep.CutOver),
        Strategy = command.Step != UpgradeStep.Preflight ? null : command.Strategy == UpgradeStrategy.Auto ? Possible : command.Strategy,
        StrategyReason = command is { Step: UpgradeStep.Preflight, Strategy: UpgradeStrategy.Auto } ? "no earlier one is possible" : null,
        Signature = command.Step == UpgradeStep.Load ? "valid" : null,
        Outage = command.Step is < UpgradeStep.CutOver or UpgradeStep.RollBack ? null : new ObservedOutage
        {
            LongestGap = TimeSpan.FromTicks(123_456_7),
            Sent = 5000,
            Answered = 4900,
            Interval = TimeSpan.FromMilliseconds(1),
            Interrupted = false,
        },
    };

    public StepFailed Failed(ExecuteStep command, UpgradeFailure failure, string reason, bool guestAnswers = true) => new()
    {
        UpgradeId = command.UpgradeId,
        Host = Host,
        Epoch = command.Epoch,
        Step = command.Step,
        Failure = failure,
        Reason = reason,
        Timings = TimingsOf(command.Step),
        Guest = guestAnswers ? Observation(kernelB: false) : null,
    };

    public IReadOnlyList<StepTiming> TimingsOf(UpgradeStep step) =>
    [
        new StepTiming { Name = $"{step}".ToLowerInvariant(), Clock = $"host:{Host}", Nanoseconds = 1_000_000_007L * (int)step },
        new StepTiming { Name = $"{step}.first".ToLowerInvariant(), Clock = "guest:aaaa", Nanoseconds = 17 + (int)step },
        new StepTiming { Name = $"{step}.second".ToLowerInvariant(), Clock = "guest:bbbb", Nanoseconds = 0 },
    ];

    public static GuestObservation Observation(bool kernelB) => new()
    {
        ObservedAt = TimeProvider.System.GetUtcNow(),
        KernelRelease = kernelB ? "6.12.1" : "6.1.0",
        BootId = kernelB ? "bbbb" : "aaaa",
        HasParent = false,
        CpusOnline = 2,
        CpusPresent = 2,
        MemoryBytes = 2_000_000_000,
        MachineMemoryBytes = 2_147_483_648,
        MachineMemoryOwnedBytes = 2_147_483_648,
    };

    /// <param name="word">A message of the contract.</param>
    /// <param name="id">Its message id; a new one when absent.</param>
    public Task SayAsync<T>(T word, Guid? id = null)
        where T : class =>
        _bus.Publish(word, context => context.MessageId = id ?? NewId.NextGuid());

    public HostHeartbeat Heartbeat() => new()
    {
        Host = Host,
        Incarnation = Incarnation,
        StartedAt = StartedAt,
        Sequence = Interlocked.Increment(ref _sequence),
        Interval = TimeSpan.FromMinutes(5),
        AgentVersion = "1.0-test",
        Accelerator = "tcg",
        Guests = [.. _guests.Select(guest => new GuestReport
        {
            Guest = guest, State = GuestState.Running, ImageDigest = FleetUnderTest.ImageA,
            ServiceAddress = "127.0.0.1:7777", Observation = Observation(kernelB: false),
        })],
        Images =
        [
            new ImageReport { Digest = FleetUnderTest.ImageA, Name = "debian-6.1", KernelRelease = "6.1.0", Bytes = 11 },
            new ImageReport { Digest = FleetUnderTest.ImageB, Name = "debian-6.12", KernelRelease = "6.12.1", Bytes = 12 },
        ],
    };

    public Task BeatAsync() => BeatAsync(Heartbeat());

    public Task BeatAsync(HostHeartbeat beat) => _bus.Publish(beat);

    public async ValueTask DisposeAsync() => await _bus.StopAsync(TimeSpan.FromSeconds(20));
}
