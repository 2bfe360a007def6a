using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>Takes heartbeats from the broker.</summary>
public sealed class HeartbeatConsumer(RecordHeartbeat record) : IConsumer<HostHeartbeat>
{
    public Task Consume(ConsumeContext<HostHeartbeat> context) =>
        record.HandleAsync(context.Message, context.CancellationToken);
}

/// <summary>
/// Makes host, guests and images what the host's agent observes. A heartbeat that is not newer than the newest one taken
/// in changes nothing: within one run of the agent the sequence decides, between runs the start of the run.
/// </summary>
public sealed partial class RecordHeartbeat(
    FleetTransaction transactions, TimeProvider time, ILogger<RecordHeartbeat> logger)
{
    /// <summary>False when the heartbeat was older than what is known.</summary>
    /// <exception cref="InvalidHeartbeatException">It says what cannot be.</exception>
    public async Task<bool> HandleAsync(HostHeartbeat beat, CancellationToken cancellation)
    {
        HeartbeatRules.Check(beat);
        bool taken = await transactions.RunAsync((db, stop) => WriteAsync(db, beat, stop), cancellation);
        if (!taken)
        {
            Log.Older(logger, beat.Host, beat.Sequence);
        }
        else if (beat.Sequence == 1)
        {
            Log.Registered(logger, beat.Host, beat.AgentVersion, beat.Accelerator, beat.Guests.Count, beat.Images.Count);
        }

        return taken;
    }

    private async Task<bool> WriteAsync(FleetDbContext db, HostHeartbeat beat, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        DateTimeOffset startedAt = beat.StartedAt.ToUniversalTime();

        string labels = JsonSerializer.Serialize(beat.Labels);

        // The row's lock orders heartbeats of one host; the condition keeps an older one out.
        int written = await db.Database.ExecuteSqlAsync(
            $"""
             insert into hosts (name, incarnation, incarnation_started_at, sequence, heartbeat_interval, last_seen, agent_version, accelerator, labels)
             values ({beat.Host}, {beat.Incarnation}, {startedAt}, {beat.Sequence}, {beat.Interval}, {now}, {beat.AgentVersion}, {beat.Accelerator}, {labels}::jsonb)
             on conflict (name) do update set
               incarnation = excluded.incarnation, incarnation_started_at = excluded.incarnation_started_at,
               sequence = excluded.sequence, heartbeat_interval = excluded.heartbeat_interval,
               last_seen = excluded.last_seen, agent_version = excluded.agent_version, accelerator = excluded.accelerator,
               labels = excluded.labels
             where (hosts.incarnation = excluded.incarnation and hosts.sequence < excluded.sequence)
                or (hosts.incarnation <> excluded.incarnation and hosts.incarnation_started_at < excluded.incarnation_started_at)
             """, cancellation);
        if (written == 0)
        {
            return false;
        }

        await WriteGuestsAsync(db, beat, now, cancellation);
        await WriteImagesAsync(db, beat, now, cancellation);
        return true;
    }

    private static async Task WriteGuestsAsync(
        FleetDbContext db, HostHeartbeat beat, DateTimeOffset now, CancellationToken cancellation)
    {
        // Locked: an upgrade that begins now counts the epoch of the same rows.
        Dictionary<string, GuestRecord> known = await db.Guests
            .FromSql($"select * from guests where host_name = {beat.Host} order by name for update")
            .ToDictionaryAsync(guest => guest.Name, cancellation);
        foreach (GuestReport report in beat.Guests)
        {
            if (!known.Remove(report.Guest, out GuestRecord? guest))
            {
                guest = new GuestRecord
                {
                    HostName = beat.Host,
                    Name = report.Guest,
                    ImageDigest = report.ImageDigest,
                    ServiceAddress = report.ServiceAddress,
                };
                db.Guests.Add(guest);
            }

            guest.State = report.State;
            guest.ImageDigest = report.ImageDigest;
            guest.ServiceAddress = report.ServiceAddress;
            guest.Labels = new Dictionary<string, string>(report.Labels);
            guest.GoneAt = null;
            guest.Observe(report.Observation);
        }

        foreach (GuestRecord missing in known.Values)
        {
            missing.GoneAt ??= now;
        }
    }

    private static async Task WriteImagesAsync(
        FleetDbContext db, HostHeartbeat beat, DateTimeOffset now, CancellationToken cancellation)
    {
        ImageReport[] images = [.. beat.Images.DistinctBy(image => image.Digest).OrderBy(image => image.Digest, StringComparer.Ordinal)];
        string[] digests = [.. images.Select(image => image.Digest)];
        string[] known = await db.Images.Where(image => digests.Contains(image.Digest))
            .Select(image => image.Digest).ToArrayAsync(cancellation);

        // In one order everywhere, so that two hosts that report the same new images do not wait for each other.
        foreach (ImageReport image in images.ExceptBy(known, image => image.Digest))
        {
            await db.Database.ExecuteSqlAsync(
                $"""
                 insert into images (digest, name, kernel_release, bytes, first_seen)
                 values ({image.Digest}, {image.Name}, {image.KernelRelease}, {image.Bytes}, {now})
                 on conflict (digest) do nothing
                 """, cancellation);
        }

        await db.Database.ExecuteSqlAsync(
            $"delete from host_images where host_name = {beat.Host} and digest <> all ({digests})", cancellation);
        await db.Database.ExecuteSqlAsync(
            $"""
             insert into host_images (host_name, digest)
             select {beat.Host}, held from unnest({digests}) as held
             on conflict do nothing
             """, cancellation);
    }

    private static partial class Log
    {
        [LoggerMessage(2001, LogLevel.Information, "Host {Host} registered: agent {Version}, {Accelerator}, {Guests} guests, {Images} images")]
        public static partial void Registered(
            ILogger logger, string host, string version, string accelerator, int guests, int images);

        [LoggerMessage(2002, LogLevel.Information, "Heartbeat {Sequence} of host {Host} is older than what is known; ignored")]
        public static partial void Older(ILogger logger, string host, long sequence);
    }
}
