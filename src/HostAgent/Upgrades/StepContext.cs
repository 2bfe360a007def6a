using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Images;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>What a step has at hand.</summary>
internal sealed class StepContext
{
    /// <summary>How long nobody may answer before the guest's agent counts as gone.</summary>
    private static readonly TimeSpan UnreachableAfter = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);

    public required ExecuteStep Command { get; init; }

    public required IGuestMachine Machine { get; init; }

    public required ImageStore Images { get; init; }

    public required UpgradeJournal Journal { get; init; }

    public required ObservationLedger Observations { get; init; }

    public required AgentOptions Options { get; init; }

    public required StepTimings Timings { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Tells the operator one line.</summary>
    public required Action<string> Progress { get; init; }

    /// <summary>When the step must have ended.</summary>
    public required DateTimeOffset Deadline { get; init; }

    public StepRequest Request => new() { UpgradeId = Command.UpgradeId.ToString(), Epoch = (ulong)Command.Epoch };

    /// <summary>What the guest said when the step was done; goes out with the result.</summary>
    public GuestStatus? Observed { get; set; }

    /// <summary>What Preflight chose, and why not an earlier strategy; goes out with the result.</summary>
    public UpgradeStrategy? Chosen { get; set; }

    public string? ChosenBecause { get; set; }

    /// <summary>What kernel A says of the image's signature; goes out with the result.</summary>
    public string? Signature { get; set; }

    /// <summary>How to reach the machine.</summary>
    /// <exception cref="StepException">It does not run.</exception>
    public MachineEndpoint Endpoint => Machine.Endpoint
        ?? throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {Machine.Name} does not run.");

    /// <summary>The image that the command names, verified.</summary>
    /// <exception cref="StepException">It is not here, or a part of it is not what the manifest says.</exception>
    public async Task<StoredImage> VerifiedImageAsync(CancellationToken cancellationToken)
    {
        try
        {
            StoredImage image = Images.Find(Command.ImageDigest);
            await ImageStore.VerifyAsync(image, cancellationToken).ConfigureAwait(false);
            return image;
        }
        catch (ImageNotFoundException e)
        {
            throw new StepException(UpgradeFailure.ImageMissing, e.Message, e);
        }
        catch (ImageDamagedException e)
        {
            throw new StepException(UpgradeFailure.ImageDigestMismatch, e.Message, e);
        }
    }

    /// <summary>
    /// Calls the guest, over a new connection each time nobody answered: a step call may be repeated. Gives up when
    /// nobody has answered for some seconds or the machine has ended.
    /// </summary>
    /// <exception cref="RpcException">The guest refused, or nobody answers.</exception>
    public async Task<T> CallAsync<T>(Func<GuestConnection, CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        MachineEndpoint endpoint = Endpoint;
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, endpoint.Gone);
        while (true)
        {
            try
            {
                using GuestConnection connection = new(endpoint);
                return await call(connection, connection.Options(Deadline, limit.Token)).ConfigureAwait(false);
            }
            catch (RpcException e) when (e.IsTransport() && e.StatusCode == StatusCode.Unavailable && !limit.IsCancellationRequested)
            {
                await WaitReachableAsync(endpoint, e, limit.Token).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Calls a step of the guest and takes its timings.</summary>
    public async Task<StepResult> StepAsync(Func<GuestConnection, CallOptions, Task<StepResult>> call, CancellationToken cancellationToken)
    {
        StepResult result = await CallAsync(call, cancellationToken).ConfigureAwait(false);
        Timings.Add(result.Timings);
        foreach ((string name, string value) in result.Facts.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            Progress($"{name}: {value}");
        }

        return result;
    }

    private static async Task WaitReachableAsync(MachineEndpoint endpoint, RpcException because, CancellationToken cancellationToken)
    {
        long until = Environment.TickCount64 + (long)UnreachableAfter.TotalMilliseconds;
        while (true)
        {
            await Task.Delay(RetryPause, cancellationToken).ConfigureAwait(false);
            try
            {
                await GuestConnection.AskStatusAsync(endpoint, TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (RpcException e) when (e.IsTransport() && Environment.TickCount64 < until)
            {
                // Not yet.
            }
            catch (RpcException e) when (e.IsTransport())
            {
                throw because;
            }
        }
    }
}
