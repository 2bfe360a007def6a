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
                images.Select(image => new Wire.Image
                {
                    Digest = image.Digest,
                    Name = image.Name,
                    KernelRelease = image.KernelRelease,
                    Bytes = (ulong)image.Bytes,
                    Hosts = { holders[image.Digest] },
                }),
            },
        };
    }
}
