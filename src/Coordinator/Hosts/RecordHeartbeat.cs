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
/// Makes hosts, guests and images what the hosts' agents observe. A heartbeat that is not newer than the newest one taken
/// in changes nothing: within one run of the agent the sequence decides, between runs the start of the run. Heartbeats of several hosts
/// that come together share a transaction.
/// </summary>
public sealed partial class RecordHeartbeat
{
    /// <summary>Heartbeats in one transaction.</summary>
    public const int MostTogether = 512;

    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(250);

    private readonly FleetTransaction _transactions;
    private readonly TimeProvider _time;
    private readonly ILogger<RecordHeartbeat> _logger;
    private readonly GroupCommit<HostHeartbeat, bool> _group;

    public RecordHeartbeat(FleetTransaction transactions, TimeProvider time, ILogger<RecordHeartbeat> logger)
    {
        (_transactions, _time, _logger) = (transactions, time, logger);
        _group = new GroupCommit<HostHeartbeat, bool>(
            MostTogether, (beats, cancellation) => _transactions.RunAsync((db, stop) => WriteAsync(db, beats, stop), cancellation), beat => beat.Host, LongestRest);
    }

    /// <summary>False when the heartbeat was older than what is known.</summary>
    /// <exception cref="InvalidHeartbeatException">It says what cannot be.</exception>
    public async Task<bool> HandleAsync(HostHeartbeat beat, CancellationToken cancellation)
    {
        HeartbeatRules.Check(beat);
        bool taken = await _group.AddAsync(beat, cancellation);
        if (!taken)
        {
            Log.Older(_logger, beat.Host, beat.Sequence);
        }
        else if (beat.Sequence == 1)
        {
            Log.Registered(_logger, beat.Host, beat.AgentVersion, beat.Accelerator, beat.Guests.Count, beat.Images.Count);
        }

        return taken;
    }

    /// <param name="db">In a transaction.</param>
    /// <param name="all">Of different hosts.</param>
    /// <param name="cancellation">Gives up.</param>
    private async Task<IReadOnlyList<bool>> WriteAsync(FleetDbContext db, IReadOnlyList<HostHeartbeat> all, CancellationToken cancellation)
    {
        DateTimeOffset now = _time.GetUtcNow();

        // In one order everywhere, so that two coordinators do not wait for each other.
        HostHeartbeat[] beats = [.. all.OrderBy(beat => beat.Host, StringComparer.Ordinal)];
        HashSet<string> newer = await WriteHostsAsync(db, beats, now, cancellation);
        beats = [.. beats.Where(beat => newer.Contains(beat.Host))];
        if (beats.Length > 0)
        {
            await WriteGuestsAsync(db, beats, now, cancellation);
            await WriteImagesAsync(db, beats, now, cancellation);
        }

        return [.. all.Select(beat => newer.Contains(beat.Host))];
    }

    /// <summary>Those whose heartbeat was newer than what is known.</summary>
    private static async Task<HashSet<string>> WriteHostsAsync(FleetDbContext db, HostHeartbeat[] beats, DateTimeOffset now, CancellationToken cancellation)
    {
        string[] names = [.. beats.Select(beat => beat.Host)];
        Guid[] incarnations = [.. beats.Select(beat => beat.Incarnation)];
        DateTimeOffset[] starts = [.. beats.Select(beat => beat.StartedAt.ToUniversalTime())];
        long[] sequences = [.. beats.Select(beat => beat.Sequence)];
        TimeSpan[] intervals = [.. beats.Select(beat => beat.Interval)];
        string[] versions = [.. beats.Select(beat => beat.AgentVersion)];
        string[] accelerators = [.. beats.Select(beat => beat.Accelerator)];
        string[] labels = [.. beats.Select(beat => JsonSerializer.Serialize(beat.Labels))];

        // The row's lock orders heartbeats of one host; the condition keeps an older one out.
        return
        [
            .. await db.Database.SqlQuery<string>(
                $"""
                 insert into hosts (name, incarnation, incarnation_started_at, sequence, heartbeat_interval, last_seen, agent_version, accelerator, labels)
                 select name, incarnation, started, sequence, beat, {now}, version, accelerator, labels::jsonb
                 from unnest({names}, {incarnations}, {starts}, {sequences}, {intervals}, {versions}, {accelerators}, {labels})
                   as said (name, incarnation, started, sequence, beat, version, accelerator, labels)
                 on conflict (name) do update set
                   incarnation = excluded.incarnation, incarnation_started_at = excluded.incarnation_started_at,
                   sequence = excluded.sequence, heartbeat_interval = excluded.heartbeat_interval,
                   last_seen = excluded.last_seen, agent_version = excluded.agent_version, accelerator = excluded.accelerator,
                   labels = excluded.labels
                 where (hosts.incarnation = excluded.incarnation and hosts.sequence < excluded.sequence)
                    or (hosts.incarnation <> excluded.incarnation and hosts.incarnation_started_at < excluded.incarnation_started_at)
                 returning name
                 """).ToListAsync(cancellation),
        ];
    }

    private static async Task WriteGuestsAsync(FleetDbContext db, HostHeartbeat[] beats, DateTimeOffset now, CancellationToken cancellation)
    {
        string[] hosts = [.. beats.Select(beat => beat.Host)];

        // Locked: an upgrade that begins now counts the epoch of the same rows.
        Dictionary<GuestId, GuestRecord> known = await db.Guests
            .FromSql($"select * from guests where host_name = any({hosts}) order by host_name, name for update")
            .ToDictionaryAsync(guest => new GuestId(guest.HostName, guest.Name), cancellation);
        foreach ((string host, GuestReport report) in beats.SelectMany(beat => beat.Guests, (beat, report) => (beat.Host, report)))
        {
            if (!known.Remove(new GuestId(host, report.Guest), out GuestRecord? guest))
            {
                guest = new GuestRecord
                {
                    HostName = host,
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

    private static async Task WriteImagesAsync(FleetDbContext db, HostHeartbeat[] beats, DateTimeOffset now, CancellationToken cancellation)
    {
        (string Host, ImageReport Image)[] reports =
            [.. beats.SelectMany(beat => beat.Images.DistinctBy(image => image.Digest), (beat, image) => (beat.Host, image))];
        string[] digests = [.. reports.Select(report => report.Image.Digest).Distinct()];
        string[] known = await db.Images.Where(image => digests.Contains(image.Digest))
            .Select(image => image.Digest).ToArrayAsync(cancellation);

        // In one order everywhere, so that two hosts that report the same new images do not wait for each other.
        foreach (ImageReport image in reports.Select(report => report.Image).DistinctBy(image => image.Digest)
            .ExceptBy(known, image => image.Digest).OrderBy(image => image.Digest, StringComparer.Ordinal))
        {
            await db.Database.ExecuteSqlAsync(
                $"""
                 insert into images (digest, name, kernel_release, bytes, first_seen)
                 values ({image.Digest}, {image.Name}, {image.KernelRelease}, {image.Bytes}, {now})
                 on conflict (digest) do nothing
                 """, cancellation);
        }

        string[] hosts = [.. beats.Select(beat => beat.Host)];
        string[] holders = [.. reports.Select(report => report.Host)];
        string[] held = [.. reports.Select(report => report.Image.Digest)];
        await db.Database.ExecuteSqlAsync(
            $"""
             with held as (select * from unnest({holders}, {held}) as said (host, digest)),
             gone as (
               delete from host_images where host_name = any({hosts})
                 and not exists (select 1 from held where held.host = host_name and held.digest = host_images.digest))
             insert into host_images (host_name, digest)
             select host, held.digest from held
             where not exists (select 1 from host_images known where known.host_name = host and known.digest = held.digest)
             order by 1, 2
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
