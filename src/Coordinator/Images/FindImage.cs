using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Images;

/// <summary>What a caller's word for an image means on one host.</summary>
internal static partial class FindImage
{
    /// <param name="OnHost">The images the host holds that fit; exactly one is an answer.</param>
    /// <param name="KnownElsewhere">Some image fits, on whatever host.</param>
    public sealed record Found(IReadOnlyList<ImageRecord> OnHost, bool KnownElsewhere);

    /// <param name="db">The fleet.</param>
    /// <param name="host">Name of the host that must hold it.</param>
    /// <param name="image">Name, digest, or 8 digits or more of the digest's beginning, with or without <c>sha256:</c>.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<Found> OnHostAsync(
        FleetDbContext db, string host, string image, CancellationToken cancellation)
    {
        List<ImageRecord> fitting = await InFleetAsync(db, image, cancellation);
        string[] held = await db.HostImages.Where(row => row.HostName == host)
            .Select(row => row.Digest).ToArrayAsync(cancellation);
        return new Found([.. fitting.Where(row => held.Contains(row.Digest))], fitting.Count > 0);
    }

    /// <summary>All images that fit, whoever holds them.</summary>
    public static Task<List<ImageRecord>> InFleetAsync(FleetDbContext db, string image, CancellationToken cancellation)
    {
        Match digits = DigestStart().Match(image);
        string prefix = digits.Success ? $"sha256:{digits.Groups["digits"].Value}" : image;
        bool byDigest = digits.Success;
        return db.Images.AsNoTracking()
            .Where(row => row.Name == image || (byDigest && row.Digest.StartsWith(prefix)))
            .OrderBy(row => row.Digest).ToListAsync(cancellation);
    }

    [GeneratedRegex(@"\A(sha256:)?(?<digits>[0-9a-f]{8,64})\z")]
    private static partial Regex DigestStart();
}
