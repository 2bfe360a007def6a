using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Hosts;

namespace TwinKernel.Fleet.Coordinator.Images;

/// <summary>An image, named by the digest of its manifest: what stands here never changes, but for what is known and said of it.</summary>
public sealed class ImageRecord
{
    /// <summary><c>sha256:</c> and 64 lower-case hex digits.</summary>
    public required string Digest { get; set; }
    public required string Name { get; set; }
    public required string KernelRelease { get; set; }
    public long Bytes { get; set; }
    public DateTimeOffset FirstSeen { get; set; }

    /// <summary>When the first upgrade to it was completed; null: none was.</summary>
    public DateTimeOffset? ProvenAt { get; set; }

    /// <summary>Why nobody is brought to it; null: it may be used.</summary>
    public string? Denied { get; set; }

    public ImageState State => Denied is not null ? ImageState.Denied : ProvenAt is not null ? ImageState.Proven : ImageState.Verified;

    internal sealed class Map : IEntityTypeConfiguration<ImageRecord>
    {
        public void Configure(EntityTypeBuilder<ImageRecord> table)
        {
            table.ToTable("images");
            table.HasKey(image => image.Digest);
            table.Ignore(image => image.State);
            table.HasIndex(image => image.Name);
        }
    }
}

/// <summary>The host holds the image.</summary>
public sealed class HostImageRecord
{
    public required string HostName { get; set; }
    public required string Digest { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<HostImageRecord>
    {
        public void Configure(EntityTypeBuilder<HostImageRecord> table)
        {
            table.ToTable("host_images");
            table.HasKey(held => new { held.HostName, held.Digest });
            table.HasOne<HostRecord>().WithMany().HasForeignKey(held => held.HostName).OnDelete(DeleteBehavior.Restrict);
            table.HasOne<ImageRecord>().WithMany().HasForeignKey(held => held.Digest).OnDelete(DeleteBehavior.Restrict);
        }
    }
}
