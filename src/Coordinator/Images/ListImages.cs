using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Data;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Images;

/// <summary>The images that some host holds.</summary>
public sealed class ListImages(FleetTransaction database)
{
    public Task<Wire.ListImagesResponse> HandleAsync(CancellationToken cancellation) =>
        database.ReadAsync(ReadAsync, cancellation);

    private static async Task<Wire.ListImagesResponse> ReadAsync(FleetDbContext db, CancellationToken cancellation)
    {
        ILookup<string, string> holders = (await db.HostImages.AsNoTracking().OrderBy(held => held.HostName)
            .ToListAsync(cancellation)).ToLookup(held => held.Digest, held => held.HostName);
        List<ImageRecord> images = await db.Images.AsNoTracking()
            .Where(image => db.HostImages.Any(held => held.Digest == image.Digest))
            .OrderBy(image => image.Name).ThenBy(image => image.Digest).ToListAsync(cancellation);
        return new Wire.ListImagesResponse
        {
            Images =
            {
                images.Select(image => image.ToResponse(holders[image.Digest])),
            },
        };
    }
}

internal static class ImageResponse
{
    public static Wire.Image ToResponse(this ImageRecord image, IEnumerable<string> holders) => new()
    {
        Digest = image.Digest,
        Name = image.Name,
        KernelRelease = image.KernelRelease,
        Bytes = (ulong)image.Bytes,
        Hosts = { holders },
        State = Word(image.State),
        Reason = image.Denied ?? "",
    };

    private static string Word(ImageState state) => state switch
    {
        ImageState.Verified => "verified",
        ImageState.Proven => "proven",
        ImageState.Denied => "denied",
        _ => "unknown",
    };
}
