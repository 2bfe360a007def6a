using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Tests.Guests;

/// <summary>The machine of a <see cref="FakeGuest"/>.</summary>
internal sealed class FakeMachine(FakeGuest guest, string directory) : IGuestMachine
{
    private MachineEndpoint? _endpoint = guest.Endpoint;

    public string Name => "g1";

    public MachineEndpoint? Endpoint => _endpoint is { } e && !e.Gone.IsCancellationRequested ? e : null;

    public IReadOnlyList<string> ConsoleLogs { get; } = [Path.Combine(directory, "console1.log"), Path.Combine(directory, "console2.log")];

    public Task Settled => Task.CompletedTask;

    public List<string> Records { get; } = [];

    /// <summary>What takes the machine's place when it is started again.</summary>
    public FakeGuest? Next { get; set; }

    public Task<MachineEndpoint> WaitRunningAsync(CancellationToken cancellationToken)
    {
        _endpoint = Endpoint ?? Next?.Endpoint ?? throw new InvalidOperationException("Nothing to start was given.");
        return Task.FromResult(_endpoint);
    }

    public async Task<MachineEndpoint> RestartAsync(string why, CancellationToken cancellationToken)
    {
        Records.Add("restarted");
        await guest.EndAsync();
        return await WaitRunningAsync(cancellationToken);
    }

    public void RecordServing(string imageDigest) => Records.Add("serving " + imageDigest);

    public void RecordCommitted(string imageDigest) => Records.Add("committed " + imageDigest);

    public void RecordRolledBack() => Records.Add("rolled back");
}
