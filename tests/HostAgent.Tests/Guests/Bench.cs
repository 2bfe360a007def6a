using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Observation;
using TwinKernel.Fleet.HostAgent.Tests.Images;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Tests.Guests;

/// <summary>What would have been published, in order; the broker can be away.</summary>
internal sealed class RecordedEvents : IStepEvents
{
    public ConcurrentQueue<object> Published { get; } = new();

    public volatile bool Away;

    public Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
        where T : class
    {
        if (Away && mustBeRouted)
        {
            throw new IOException("The broker is away.");
        }

        Published.Enqueue(message);
        return Task.CompletedTask;
    }
}

/// <summary>An agent's upgrade part over a fake guest. An agent's life can be ended and another begun on the same state.</summary>
internal sealed class Bench : IAsyncDisposable
{
    public const string Host = "h1";
    private readonly TemporaryDirectory _directory = new();
    private ObservationLedger? _observations;
    private ResultPublisher? _publisher;

    private Bench(FakeGuest guest)
    {
        Guest = guest;
        Machine = new FakeMachine(guest, _directory.Path);
        Directory.CreateDirectory(_directory.File("upgrades"));
        ImageDigest = TestImages.Write(_directory.File("images"), "b", 2_000_000);
    }

    public FakeGuest Guest { get; }

    public FakeMachine Machine { get; }

    public RecordedEvents Events { get; } = new();

    public UpgradeRunner Runner { get; private set; } = null!;

    public string ImageDigest { get; }

    public string JournalDirectory => _directory.File("upgrades");

    public string ImageDirectory => _directory.File("images");

    public Guid UpgradeId { get; } = Guid.NewGuid();

    public AgentOptions Options { get; } = new()
    {
        Name = Host,
        ProbeInterval = TimeSpan.FromMilliseconds(2),
        ProbationSettling = TimeSpan.FromMilliseconds(600),
        ProbationMaxGap = TimeSpan.FromMilliseconds(400),
    };

    public static async Task<Bench> StartAsync()
    {
        Bench bench = new(await FakeGuest.StartAsync());
        await bench.BeginLifeAsync();
        return bench;
    }

    public async Task BeginLifeAsync()
    {
        UpgradeJournal journal = new(JournalDirectory, TimeProvider.System, NullLogger.Instance);
        _observations = new ObservationLedger(journal, Options.ProbeInterval);
        _publisher = new ResultPublisher(journal, Events, TimeProvider.System, NullLogger<ResultPublisher>.Instance);
        Runner = new UpgradeRunner(
            Microsoft.Extensions.Options.Options.Create(Options), name => name == Machine.Name ? Machine : null, TestImages.Store(ImageDirectory), journal,
            new GuestEpochs(_directory.File("epochs.json")), _observations, _publisher, Events, TimeProvider.System, NullLogger<UpgradeRunner>.Instance);
        await _publisher.StartAsync(default);
        await Runner.StartAsync(default);
    }

    /// <summary>Ends the agent's life as abruptly as an object can: running steps are let go, nothing is finished.</summary>
    public async Task EndLifeAsync()
    {
        await Runner.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        await _publisher!.StopAsync(default);
        _publisher.Dispose();
        _observations!.Dispose();
        Runner.Dispose();
    }

    public ExecuteStep Command(UpgradeStep step, long epoch = 1, Guid? upgrade = null) => new()
    {
        UpgradeId = upgrade ?? UpgradeId,
        Host = Host,
        Guest = Machine.Name,
        Epoch = epoch,
        Step = step,
        ImageDigest = ImageDigest,
        Deadline = TimeSpan.FromSeconds(60),
        ExpiresAt = TimeProvider.System.GetUtcNow().AddMinutes(1),
    };

    /// <summary>Gives a command and waits for its result.</summary>
    public Task<object> RunAsync(UpgradeStep step) => RunAsync(Command(step));

    public async Task<object> RunAsync(ExecuteStep command)
    {
        int before = Results(command).Length;
        await Runner.AcceptAsync(command, TestContext.Current.CancellationToken);
        await Eventually.Async(() => Results(command).Length > before);
        return Results(command)[^1];
    }

    public async Task<StepCompleted> SucceedAsync(UpgradeStep step)
    {
        object result = await RunAsync(step);
        return result as StepCompleted ?? throw new InvalidOperationException($"{step} failed: {((StepFailed)result).Failure}: {((StepFailed)result).Reason}");
    }

    public async Task<StepFailed> FailAsync(UpgradeStep step) => (await RunAsync(step)).ShouldBeOfType<StepFailed>();

    public object[] Results(ExecuteStep command) => [.. Events.Published.Where(m =>
        (m is StepCompleted c && c.UpgradeId == command.UpgradeId && c.Step == command.Step)
        || (m is StepFailed f && f.UpgradeId == command.UpgradeId && f.Step == command.Step))];

    public int CallsOf(string name)
    {
        lock (Guest.Calls)
        {
            return Guest.Calls.Count(c => c == name);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndLifeAsync();
        await Guest.DisposeAsync();
        _directory.Dispose();
    }
}
