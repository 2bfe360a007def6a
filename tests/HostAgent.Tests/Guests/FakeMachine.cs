using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Tests.Guests;

/// <summary>The machine of a <see cref="FakeGuest"/>.</summary>
internal sealed class FakeMachine(FakeGuest guest, string directory) : IGuestMachine
{
    private FakeGuest _current = guest;
    private MachineEndpoint? _endpoint = guest.Endpoint;

    public string Name => "g1";

    public MachineEndpoint? Endpoint => _endpoint is { } e && !e.Gone.IsCancellationRequested ? e : null;

    public string ServingImageDigest { get; set; } = "";

    public bool OnTrial { get; set; }

    public IReadOnlyList<string> ConsoleLogs { get; } = [Path.Combine(directory, "console1.log"), Path.Combine(directory, "console2.log")];

    public Task Settled => Task.CompletedTask;

    public List<string> Records { get; } = [];

    /// <summary>What takes the machine's place each time it is started again.</summary>
    public Queue<FakeGuest> Next { get; } = new();

    public Task<MachineEndpoint> WaitRunningAsync(CancellationToken cancellationToken)
    {
        if (Endpoint is null)
        {
            _current = Next.TryDequeue(out FakeGuest? next) ? next : throw new InvalidOperationException("Nothing to start was given.");
            _endpoint = _current.Endpoint;
        }

        return Task.FromResult(_endpoint!);
    }

    public async Task<MachineEndpoint> RestartAsync(string why, CancellationToken cancellationToken)
    {
        Records.Add("restarted");
        OnTrial = false;
        await _current.EndAsync();
        return await WaitRunningAsync(cancellationToken);
    }

    public async Task<MachineEndpoint> TryAsync(string imageDigest, string why, CancellationToken cancellationToken)
    {
        Records.Add("tried " + imageDigest);
        MachineEndpoint endpoint = await RestartAsync(why, cancellationToken);
        (ServingImageDigest, OnTrial) = (imageDigest, true);
        return endpoint;
    }

    /// <summary>What kernel B gets; null: the machine has no slot for it.</summary>
    public StandbyCard? Card { get; set; }

    /// <summary>What QEMU says when it is asked about it; null: it does what it is asked.</summary>
    public string? CardRefused { get; set; }

    public bool NeedsStandbyCard { get; set; }

    public Task<StandbyCard> PlugStandbyCardAsync(CancellationToken cancellationToken)
    {
        if (Card is not null)
        {
            Records.Add("plugged in");
        }

        return CardRefused is null && Card is not null ? Task.FromResult(Card) : throw new QmpException(CardRefused ?? "There is no slot.");
    }

    public Task LeadServiceAsync(bool toStandbyCard, CancellationToken cancellationToken)
    {
        Records.Add(toStandbyCard ? "led to the standby card" : "led to its own card");
        return CardRefused is null ? Task.CompletedTask : throw new QmpException(CardRefused);
    }

    public Task<bool> UnplugStandbyCardAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Card is not null)
        {
            Records.Add("plugged out");
        }

        return CardRefused is null ? Task.FromResult(true) : throw new QmpException(CardRefused);
    }

    public void RecordServing(string imageDigest)
    {
        Records.Add("serving " + imageDigest);
        (ServingImageDigest, OnTrial) = (imageDigest, true);
    }

    public void RecordCommitted(string imageDigest)
    {
        Records.Add("committed " + imageDigest);
        (ServingImageDigest, OnTrial) = (imageDigest, false);
    }

    public void RecordRolledBack() => Records.Add("rolled back");
}
