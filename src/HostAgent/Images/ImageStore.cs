using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using TwinKernel.Fleet.Contracts.Images;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Images;

/// <summary>An image on this host.</summary>
internal sealed record StoredImage(string Directory, string Digest, ImageManifest Manifest)
{
    public string KernelPath => Path.Combine(Directory, Manifest.Kernel.File);

    public string InitrdPath => Path.Combine(Directory, Manifest.Initrd.File);

    public ImageReport ToReport() => new()
    {
        Digest = Digest,
        Name = Manifest.Name,
        KernelRelease = Manifest.KernelRelease,
        Bytes = Manifest.Kernel.Bytes + Manifest.Initrd.Bytes,
    };
}

/// <summary>There is no such image, or more than one; the message names what was looked for and what is there.</summary>
internal sealed class ImageNotFoundException(string message) : Exception(message);

/// <summary>A part of an image is not what its manifest says; the message names the part and both values.</summary>
internal sealed class ImageDamagedException(string message) : Exception(message);

/// <summary>The images in <c>Host:ImageDirectory</c>: every subdirectory with a readable <c>manifest.json</c>, signed where <see cref="ImageKeys"/> ask for it.</summary>
internal sealed partial class ImageStore(string directory, ImageKeys keys, ILogger<ImageStore> logger)
{
    private readonly ConcurrentDictionary<string, string> _complaints = new();

    /// <summary>The images that are there now, by name. One that cannot be read is left out and logged once.</summary>
    public IReadOnlyList<StoredImage> List()
    {
        List<StoredImage> images = [];
        if (!Directory.Exists(directory))
        {
            return images;
        }

        foreach (string sub in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
        {
            string file = Path.Combine(sub, "manifest.json");
            try
            {
                byte[] bytes = File.ReadAllBytes(file);
                if (keys.Problem(bytes, file) is { } problem)
                {
                    Complain(file, problem);
                    continue;
                }

                ImageManifest manifest = ImageManifest.Parse(bytes);
                PlainName(manifest.Kernel.File);
                PlainName(manifest.Initrd.File);
                images.Add(new StoredImage(Path.GetFullPath(sub), "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes)), manifest));
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // A directory that is being filled has no manifest yet: the manifest comes last.
            }
            catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
            {
                Complain(file, e.Message);
            }
        }

        return images;
    }

    private void Complain(string file, string problem)
    {
        if (!_complaints.TryGetValue(file, out string? said) || said != problem)
        {
            _complaints[file] = problem;
            Log.LeftOut(logger, file, problem);
        }
    }

    /// <summary>The image with this name or digest.</summary>
    /// <exception cref="ImageNotFoundException">None, or several of that name.</exception>
    public StoredImage Find(string nameOrDigest)
    {
        IReadOnlyList<StoredImage> all = List();
        List<StoredImage> found = [.. all.Where(i => i.Digest == nameOrDigest || i.Manifest.Name == nameOrDigest).DistinctBy(i => i.Digest)];
        return found.Count switch
        {
            1 => found[0],
            0 => throw new ImageNotFoundException(
                $"Image '{nameOrDigest}' is not in {directory} (Host:ImageDirectory), which holds {Describe(all)}."),
            _ => throw new ImageNotFoundException($"Image name '{nameOrDigest}' stands for several images; use a digest: {Describe(found)}."),
        };
    }

    /// <summary>Holds kernel and initramfs against the manifest.</summary>
    /// <exception cref="ImageDamagedException">A size or digest differs, or a part is missing.</exception>
    public static async Task VerifyAsync(StoredImage image, CancellationToken cancellationToken)
    {
        await VerifyAsync(image.KernelPath, image.Manifest.Kernel, cancellationToken).ConfigureAwait(false);
        await VerifyAsync(image.InitrdPath, image.Manifest.Initrd, cancellationToken).ConfigureAwait(false);
    }

    private static async Task VerifyAsync(string path, ImagePart part, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            throw new ImageDamagedException($"{path} is missing; its manifest names it.");
        }

        await using FileStream stream = new(path, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 1 << 20 });
        if (stream.Length != part.Bytes)
        {
            throw new ImageDamagedException($"{path} has {stream.Length} bytes, its manifest says {part.Bytes}.");
        }

        string digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
        if (digest != part.Sha256)
        {
            throw new ImageDamagedException($"{path} has SHA-256 {digest}, its manifest says {part.Sha256}.");
        }
    }

    private static void PlainName(string file)
    {
        if (file.Length == 0 || file is "." or ".." || file.Contains('/', StringComparison.Ordinal))
        {
            throw new JsonException($"'{file}' is not a plain file name.");
        }
    }

    private static string Describe(IReadOnlyList<StoredImage> images) =>
        images.Count == 0 ? "no image" : string.Join(", ", images.Select(i => $"{i.Manifest.Name} ({i.Digest[..19]})"));

    private static partial class Log
    {
        [LoggerMessage(4100, LogLevel.Warning, "Image manifest {File} is left out: {Reason}")]
        public static partial void LeftOut(ILogger logger, string file, string reason);
    }
}
