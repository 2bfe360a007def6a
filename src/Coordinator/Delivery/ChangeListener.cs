using Npgsql;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>
/// Hears the notifications that triggers in the database send with every new command and every change of an upgrade or a rollout,
/// from this coordinator and from the others.
/// </summary>
public sealed partial class ChangeListener(
    NpgsqlDataSource database, ChangeSignals signals, TimeProvider time, ILogger<ChangeListener> logger)
    : BackgroundService
{
    public const string OutboxChannel = "twinfleet_outbox";
    public const string UpgradeChannel = "twinfleet_upgrade";
    public const string RolloutChannel = "twinfleet_rollout";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A connection that silently died is found by then.</summary>
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        bool quiet = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(() => quiet = false, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
            {
                if (!quiet)
                {
                    Log.Deaf(logger, e.Message);
                }

                quiet = true;
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListenAsync(Action connected, CancellationToken cancellation)
    {
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellation);
        connection.Notification += (_, heard) =>
        {
            if (heard.Channel == OutboxChannel)
            {
                signals.OutboxHasWork();
            }
            else if (Guid.TryParse(heard.Payload, out Guid id))
            {
                signals.Changed(id);
                if (heard.Channel == RolloutChannel)
                {
                    signals.RolloutsHaveWork();
                }
            }
        };
        await using (NpgsqlCommand listen = new($"listen {OutboxChannel}; listen {UpgradeChannel}; listen {RolloutChannel}", connection))
        {
            await listen.ExecuteNonQueryAsync(cancellation);
        }

        connected();
        signals.EverythingMayHaveChanged();
        while (true)
        {
            if (!await connection.WaitAsync(ProbeInterval, cancellation))
            {
                await using NpgsqlCommand probe = new("select 1", connection);
                await probe.ExecuteNonQueryAsync(cancellation);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Warning, "Notifications of the database are not heard ({Reason}); going on by interval and trying again")]
        public static partial void Deaf(ILogger logger, string reason);
    }
}
