namespace Grpc.Core;

/// <summary>A way to one server, over which any number of calls go.</summary>
public abstract class ChannelBase
{
    /// <summary>A channel to a target.</summary>
    protected ChannelBase(string target) => Target = target ?? throw new ArgumentNullException(nameof(target));

    /// <summary>Where the channel goes: host:port.</summary>
    public string Target { get; }

    /// <summary>What the stubs call.</summary>
    public abstract CallInvoker CreateCallInvoker();

    /// <summary>Ends the channel and the calls on it.</summary>
    public Task ShutdownAsync() => ShutdownAsyncCore();

    /// <summary>Override to end what the channel holds.</summary>
    protected virtual Task ShutdownAsyncCore() => Task.CompletedTask;
}
