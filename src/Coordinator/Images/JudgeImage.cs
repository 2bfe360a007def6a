using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Images;

/// <summary>Denies an image to the fleet, or allows it again. Once more changes nothing but the reason.</summary>
public sealed class JudgeImage(FleetTransaction transactions, TimeProvider time)
{
    private const int LongestReason = 500;

    public Task<Wire.Image> DenyAsync(Wire.JudgeImageRequest request, CancellationToken cancellation) => JudgeAsync(request, deny: true, cancellation);

    public Task<Wire.Image> AllowAsync(Wire.JudgeImageRequest request, CancellationToken cancellation) => JudgeAsync(request, deny: false, cancellation);

    private Task<Wire.Image> JudgeAsync(Wire.JudgeImageRequest request, bool deny, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (deny && request.Reason.Length is 0 or > LongestReason)
        {
            violations.Add(("reason", $"must say why, in 1 to {LongestReason} characters."));
        }

        if (request.Image.Length is 0 or > 128)
        {
            violations.Add(("image", "must be an image's name, its digest, or 8 digits or more of the digest's beginning."));
        }

        return violations.Count == 0
            ? transactions.RunAsync((db, stop) => WriteAsync(db, request, deny, stop), cancellation)
            : throw Refusal.Invalid(violations);
    }

    private async Task<Wire.Image> WriteAsync(FleetDbContext db, Wire.JudgeImageRequest request, bool deny, CancellationToken cancellation)
    {
        List<ImageRecord> fitting = await FindImage.InFleetAsync(db, request.Image, cancellation);
        if (fitting is not [ImageRecord found])
        {
            throw fitting.Count == 0
                ? Refusal.UnknownImage(request.Image)
                : Refusal.Invalid([("image", $"'{request.Image}' fits {fitting.Count} images ({string.Join(", ", fitting.Select(image => image.Digest))}); give more of the digest.")]);
        }

        ImageRecord image = await db.Images.FromSql($"select * from images where digest = {found.Digest} for update").SingleAsync(cancellation);
        string? denied = deny ? request.Reason : null;
        if (image.Denied != denied)
        {
            image.Denied = denied;
            db.Note(time.GetUtcNow(), request.Actor, deny ? "deny-image" : "allow-image", $"{image.Name} {image.Digest}", request.Reason);
        }

        return image.ToResponse(await db.HostImages.Where(held => held.Digest == image.Digest).Select(held => held.HostName).Order().ToListAsync(cancellation));
    }
}
