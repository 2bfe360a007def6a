using System.Text.Json;
using System.Text.Json.Serialization;

namespace TwinKernel.Fleet.Contracts.Images;

/// <summary>
/// <c>manifest.json</c> of a bootable image, in a directory of its own beside the parts that it names.
/// The image's digest is the SHA-256 of this file's bytes, written <c>sha256:&lt;64 lower-case hex digits&gt;</c>.
/// </summary>
public sealed record ImageManifest
{
    /// <summary>The only version there is: 1.</summary>
    public required int FormatVersion { get; init; }

    /// <summary>Short name for people, such as <c>debian-6.12</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What <c>uname -r</c> will say.</summary>
    public required string KernelRelease { get; init; }

    /// <summary>Kernel command line when booted by firmware; a twin boot adds to it.</summary>
    public required string CommandLine { get; init; }

    /// <summary>The bzImage.</summary>
    public required ImagePart Kernel { get; init; }

    /// <summary>The initramfs.</summary>
    public required ImagePart Initrd { get; init; }

    /// <summary>Reads a manifest.</summary>
    /// <exception cref="JsonException">Not JSON, a member is missing, or the version is not known; the message names the member.</exception>
    public static ImageManifest Parse(ReadOnlySpan<byte> utf8)
    {
        ImageManifest manifest = JsonSerializer.Deserialize(utf8, ManifestJson.Default.ImageManifest)
            ?? throw new JsonException("The manifest is empty.");
        return manifest.FormatVersion == 1
            ? manifest
            : throw new JsonException($"formatVersion is {manifest.FormatVersion}; this build knows 1.");
    }
}

/// <summary>One file of an image.</summary>
public sealed record ImagePart
{
    /// <summary>File name, without a directory.</summary>
    public required string File { get; init; }

    /// <summary>Its size in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>SHA-256, 64 lower-case hex digits.</summary>
    public required string Sha256 { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ImageManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
