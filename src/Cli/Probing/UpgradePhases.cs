using Grpc.Core;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Cli.Verbs;
using TwinKernel.Fleet.Cli.Watching;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>Begins the phases "during", or one of each step's name, and "after" as an upgrade goes on, and ends the probe some time after that.</summary>
internal sealed class UpgradePhases
{
    private const uint MostListed = 1000;
    private static readonly TimeSpan ListPause = TimeSpan.FromMilliseconds(200);
    private readonly Verb _run;
    private readonly ProbeRun _probe;
    private readonly TimeSpan _after;
    private readonly bool _bySteps;
    private readonly CancellationToken _ended;

    private UpgradePhases(Verb run, ProbeRun probe, TimeSpan after, bool bySteps, CancellationToken ended) =>
        (_run, _probe, _after, _bySteps, _ended) = (run, probe, after, bySteps, ended);

    /// <summary>
    /// Returns when the coordinator knows what is to be watched, an upgrade by its id or a guest by its name. The task that it gives ends with the
    /// watch, or when the probe has <paramref name="ended"/>.
    /// </summary>
    /// <exception cref="RpcException">The coordinator does not know it, or cannot be reached.</exception>
    public static async Task<Task> FollowAsync(Verb run, string watched, ProbeRun probe, TimeSpan after, bool bySteps, CancellationToken ended)
    {
        var phases = new UpgradePhases(run, probe, after, bySteps, ended);
        if (Guid.TryParse(watched, out var id))
        {
            var upgrade = await run.Connection.Client.GetUpgradeAsync(new GetUpgradeRequest { Id = id.ToString() }, phases.Call());
            return upgrade.Ended
                ? throw new RpcException(new Status(StatusCode.FailedPrecondition, $"Upgrade {id} has ended already: {upgrade.State}."))
                : phases.WatchAsync(() => Task.FromResult(upgrade.Id));
        }

        var guests = await run.Connection.Client.ListGuestsAsync(new ListGuestsRequest(), phases.Call());
        if (guests.Guests.All(guest => guest.Name != watched))
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"There is no upgrade and no guest \"{watched}\"."));
        }

        var before = await phases.OfGuestAsync(watched);
        HashSet<string> past = [.. before.Where(upgrade => upgrade.Ended).Select(upgrade => upgrade.Id)];
        return phases.WatchAsync(() => phases.NextAsync(watched, past));
    }

    private async Task WatchAsync(Func<Task<string>> upgrade)
    {
        try
        {
            var id = await upgrade();
            var phase = "";
            await foreach (var state in new UpgradeStream(_run.Connection.Client, _run.Surroundings.Time).ReadAsync(id, Lost, _ended))
            {
                var now = state.Ended ? "after" : _bySteps ? state.State : "during";
                if (phase != now)
                {
                    phase = now;
                    _probe.Mark(phase);
                }

                if (state.Ended)
                {
                    await Task.Delay(_after, _run.Surroundings.Time, _ended);
                    _probe.Stop();
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
        }
        catch (RpcException e)
        {
            // Without the upgrade's end there is none of the probe either.
            await _run.Surroundings.Error.WriteLineAsync($"The upgrade can no longer be watched: {e.Status.Detail}");
            _probe.Stop();
        }
    }

    private async Task<string> NextAsync(string guest, HashSet<string> past)
    {
        while (true)
        {
            try
            {
                if ((await OfGuestAsync(guest)).LastOrDefault(upgrade => !past.Contains(upgrade.Id)) is { } found)
                {
                    return found.Id;
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal)
            {
                Lost(e.Status, ListPause);
            }

            await Task.Delay(ListPause, _run.Surroundings.Time, _ended);
        }
    }

    /// <summary>The newest first.</summary>
    private async Task<IReadOnlyList<Upgrade>> OfGuestAsync(string guest)
    {
        var answer = await _run.Connection.Client.ListUpgradesAsync(new ListUpgradesRequest { Limit = MostListed }, Call());
        return [.. answer.Upgrades.Where(upgrade => upgrade.Guest == guest)];
    }

    /// <summary>--timeout is of the probe's requests.</summary>
    private CallOptions Call() => new(deadline: _run.Surroundings.Time.GetUtcNow().UtcDateTime + Verb.CallTimeout, cancellationToken: _ended);

    private void Lost(Status why, TimeSpan pause) =>
        _run.Surroundings.Error.WriteLine($"The coordinator is out of reach ({why.StatusCode}). Next try in {Units.Time(pause)}.");
}
