using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// Upgrades every guest of one host: the rollout, its upgrades, the guests' new epochs and the first commands are one
/// transaction. All guests or none. A second call with the same request id answers with what the first one started.
/// </summary>
public sealed partial class StartUpgrade(
    FleetTransaction transactions, IOptions<UpgradeOptions> options, TimeProvider time, ILogger<StartUpgrade> logger)
{
    public async Task<Wire.StartUpgradeResponse> HandleAsync(
        Wire.StartUpgradeRequest request, CancellationToken cancellation)
    {
        Wanted wanted = Check(request);
        (RolloutRecord rollout, List<UpgradeRecord> upgrades, bool repeated) = await transactions.RunAsync(
            (db, stop) => StartAsync(db, request, wanted, stop), cancellation);
        if (repeated)
        {
            Log.Repeated(logger, wanted.RequestId, rollout.Id);
        }
        else
        {
            Log.Started(logger, rollout.Id, upgrades.Count, request.Host, rollout.ImageDigest);
        }

        DateTimeOffset now = time.GetUtcNow();
        return new Wire.StartUpgradeResponse
        {
            RolloutId = rollout.Id.ToString(),
            Upgrades = { upgrades.OrderBy(upgrade => upgrade.GuestName, StringComparer.Ordinal).Select(upgrade => upgrade.ToResponse(now)) },
        };
    }

    /// <summary>What of a request had to be understood.</summary>
    private sealed record Wanted(Guid RequestId, UpgradeStrategy Strategy, bool RequireSignature, PanicPolicy OnPanic);

    private static Wanted Check(Wire.StartUpgradeRequest request)
    {
        List<(string, string)> violations = [];
        if (!HeartbeatRules.IsName(request.Host))
        {
            violations.Add(("host", "must be the name of a host: 1 to 63 lower-case letters, digits, dots and hyphens."));
        }

        if (request.Image.Length is 0 or > 128)
        {
            violations.Add(("image", "must be an image's name, its digest, or 8 digits or more of the digest's beginning."));
        }

        if (!Guid.TryParse(request.RequestId, out Guid requestId) || requestId == Guid.Empty)
        {
            violations.Add(("request_id", "must be a UUID, a new one for every new request."));
        }

        UpgradeStrategy? strategy = request.Strategy switch
        {
            "" or "twin" => UpgradeStrategy.Twin,
            "kexec" => UpgradeStrategy.Kexec,
            "reboot" => UpgradeStrategy.Reboot,
            "auto" => UpgradeStrategy.Auto,
            _ => null,
        };
        if (strategy is null)
        {
            violations.Add(("strategy", $"'{request.Strategy}' must be twin, kexec, reboot or auto; empty means twin."));
        }

        if (request.RequireSignature && strategy == UpgradeStrategy.Reboot)
        {
            violations.Add(("require_signature", "is not possible with strategy reboot: the host starts the image, and no kernel is there to check it."));
        }

        PanicPolicy? onPanic = request.OnPanic switch
        {
            "" or "reset" => PanicPolicy.Reset,
            "failover" => PanicPolicy.Failover,
            _ => null,
        };
        if (onPanic is null)
        {
            violations.Add(("on_panic", $"'{request.OnPanic}' must be reset or failover; empty means reset."));
        }

        if (onPanic == PanicPolicy.Failover && strategy is UpgradeStrategy.Kexec or UpgradeStrategy.Reboot)
        {
            violations.Add(("on_panic", "failover is not possible with strategy kexec or reboot: no second kernel stands by that could take over."));
        }

        return violations.Count == 0 && strategy is { } known && onPanic is { } policy ? new Wanted(requestId, known, request.RequireSignature, policy) : throw Refusal.Invalid(violations);
    }

    private async Task<(RolloutRecord, List<UpgradeRecord>, bool Repeated)> StartAsync(
        FleetDbContext db, Wire.StartUpgradeRequest request, Wanted wanted, CancellationToken cancellation)
    {
        if (await EarlierAsync(db, request, wanted, cancellation) is { } earlier)
        {
            return earlier;
        }

        DateTimeOffset now = time.GetUtcNow();
        HostRecord host = await db.Hosts.AsNoTracking().SingleOrDefaultAsync(row => row.Name == request.Host, cancellation)
            ?? throw Refusal.UnknownHost(request.Host);
        FindImage.Found images = await FindImage.OnHostAsync(db, host.Name, request.Image, cancellation);
        if (!images.KnownElsewhere)
        {
            throw Refusal.UnknownImage(request.Image);
        }

        FleetControl control = await FleetControl.LockAsync(db, cancellation);
        // Locked until the commit: heartbeats and other starts for the same guests wait.
        List<GuestRecord> guests = await db.Guests
            .FromSql($"select * from guests where host_name = {host.Name} and gone_at is null order by name for update")
            .ToListAsync(cancellation);
        // The same request may have been carried out while this one waited for the lock.
        if (await EarlierAsync(db, request, wanted, cancellation) is { } meanwhile)
        {
            return meanwhile;
        }

        await RefuseActiveAsync(db, host.Name, cancellation);
        RefuseUnready(control, host, guests, images.OnHost, request.Image, now);

        ImageRecord image = images.OnHost[0];
        RolloutRecord rollout = new()
        {
            Id = Guid.CreateVersion7(now),
            Kind = RolloutKind.Canary,
            RequestId = wanted.RequestId,
            HostName = host.Name,
            ImageDigest = image.Digest,
            RequestedImage = request.Image,
            Strategy = wanted.Strategy,
            RequireSignature = wanted.RequireSignature,
            OnPanic = wanted.OnPanic,
            CreatedAt = now,
        };
        db.Rollouts.Add(rollout);
        List<UpgradeRecord> upgrades = [.. guests.Select(guest => AdmitUpgrade.Begin(db, rollout, image, guest, [], options.Value, now))];
        return (rollout, upgrades, Repeated: false);
    }

    private static async Task<(RolloutRecord, List<UpgradeRecord>, bool Repeated)?> EarlierAsync(
        FleetDbContext db, Wire.StartUpgradeRequest request, Wanted wanted, CancellationToken cancellation)
    {
        RolloutRecord? earlier = await db.Rollouts.AsNoTracking()
            .SingleOrDefaultAsync(row => row.RequestId == wanted.RequestId, cancellation);
        if (earlier is null)
        {
            return null;
        }

        if (earlier.HostName != request.Host || earlier.RequestedImage != request.Image
            || earlier.Strategy != wanted.Strategy || earlier.RequireSignature != wanted.RequireSignature
            || earlier.OnPanic != wanted.OnPanic)
        {
            throw Refusal.Invalid([("request_id",
                $"was used for another request (host {earlier.HostName}, image {earlier.RequestedImage}, strategy {earlier.Strategy}{(earlier.RequireSignature ? ", signature required" : "")}, on panic {earlier.OnPanic}); choose a new one.")]);
        }

        List<UpgradeRecord> started = await db.Upgrades.AsNoTracking().AsSplitQuery()
            .Include(row => row.Steps).ThenInclude(step => step.Timings)
            .Where(row => row.RolloutId == earlier.Id).ToListAsync(cancellation);
        return (earlier, started, true);
    }

    private static async Task RefuseActiveAsync(FleetDbContext db, string host, CancellationToken cancellation)
    {
        UpgradeRecord? active = await db.Upgrades.AsNoTracking()
            .Where(row => row.HostName == host && row.FinishedAt == null)
            .OrderBy(row => row.GuestName).FirstOrDefaultAsync(cancellation);
        if (active is not null)
        {
            throw Refusal.AlreadyExists(
                $"Guest {active.GuestName} of host {host} has an active upgrade ({active.Id}, in {active.State}); nothing was started. Watch it with `twinfleet upgrade show {active.Id}`.");
        }

        var held = await db.RolloutMembers.AsNoTracking().Where(member => member.HostName == host && member.Held)
            .Join(db.Rollouts, member => member.RolloutId, rollout => rollout.Id, (member, rollout) => new { member.GuestName, rollout.Name, rollout.State })
            .OrderBy(member => member.GuestName).FirstOrDefaultAsync(cancellation);
        if (held is not null)
        {
            throw Refusal.AlreadyExists(
                $"Guest {held.GuestName} of host {host} belongs to rollout {held.Name} (in {held.State}); nothing was started. See `twinfleet rollout show {held.Name}`.");
        }
    }

    private static void RefuseUnready(
        FleetControl control, HostRecord host, List<GuestRecord> guests, IReadOnlyList<ImageRecord> images, string wanted, DateTimeOffset now)
    {
        if (images.Count > 1)
        {
            throw Refusal.Invalid([("image",
                $"'{wanted}' fits {images.Count} images on host {host.Name} ({string.Join(", ", images.Select(image => image.Digest))}); give more of the digest.")]);
        }

        List<(string, string)> blockers = [];
        if (control.StoppedAt is not null)
        {
            blockers.Add(("", $"Nothing begins: {control.Sentence}. `twinfleet stop-all --release` ends that."));
        }

        if (!host.IsOnline(now))
        {
            blockers.Add(("host", $"Host {host.Name} is offline, last seen {host.LastSeen:u}; see that its agent runs."));
        }

        if (images.Count == 0)
        {
            blockers.Add(("image", $"Host {host.Name} does not hold image '{wanted}'; put it into the host's image directory."));
        }

        if (images is [{ Denied: { } denied } image])
        {
            blockers.Add(("image", $"Image {image.Name} ({image.Digest}) is denied: {denied}."));
        }

        if (guests.Count == 0)
        {
            blockers.Add(("host", $"Host {host.Name} has no guests."));
        }

        blockers.AddRange(guests.Where(guest => guest.State != GuestState.Running).Select(guest =>
            ("host", $"Guest {guest.Name} is not running ({guest.State}); all guests of the host must be.")));
        if (blockers.Count > 0)
        {
            throw Refusal.NotReady(blockers);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3101, LogLevel.Information, "Rollout {Rollout}: {Count} upgrades of host {Host} to {Image} started")]
        public static partial void Started(ILogger logger, Guid rollout, int count, string host, string image);

        [LoggerMessage(3102, LogLevel.Information, "Request {Request} was made before; it started rollout {Rollout}")]
        public static partial void Repeated(ILogger logger, Guid request, Guid rollout);
    }
}
