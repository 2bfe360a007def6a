using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Images;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Streams the image into the guest, which hashes it again on arrival.</summary>
internal static class LoadStep
{
    /// <summary>Below what .NET keeps among large objects (85,000 bytes): those are only freed by collections for which all threads of the guest's agent stand still for long.</summary>
    private const int ChunkBytes = 64 * 1024;
    private const int PercentPerLine = 10;

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        StoredImage image;
        using (context.Timings.Measure("load.verify"))
        {
            image = await context.VerifiedImageAsync(cancellationToken).ConfigureAwait(false);
        }

        using (context.Timings.Measure("load.stream"))
        {
            StepResult result = await context.StepAsync((guest, options) => StreamAsync(context, image, guest, options), cancellationToken).ConfigureAwait(false);
            context.Signature = result.Facts.TryGetValue("signature", out string? signature) ? signature : null;
        }
    }

    private static async Task<StepResult> StreamAsync(StepContext context, StoredImage image, GuestConnection guest, CallOptions options)
    {
        using AsyncClientStreamingCall<LoadRequest, StepResult> call = guest.Client.Load(options);
        LoadHeader header = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            ImageDigest = image.Digest,
            Kernel = ToPart(image.Manifest.Kernel),
            Initrd = ToPart(image.Manifest.Initrd),
            CommandLine = image.Manifest.CommandLine,
            RequireSignature = context.Command.RequireSignature,
        };
        try
        {
            await call.RequestStream.WriteAsync(new LoadRequest { Header = header }, options.CancellationToken).ConfigureAwait(false);
            Percent percent = new(context, image.Manifest.Kernel.Bytes + image.Manifest.Initrd.Bytes);
            foreach (string path in (string[])[image.KernelPath, image.InitrdPath])
            {
                await WriteFileAsync(call.RequestStream, path, percent, options.CancellationToken).ConfigureAwait(false);
            }

            await call.RequestStream.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or IOException && call.ResponseAsync.IsCompleted)
        {
            // The guest answered before it had read everything: done already, or refused. Its answer counts.
        }

        return await call.ResponseAsync.ConfigureAwait(false);
    }

    private static async Task WriteFileAsync(IClientStreamWriter<LoadRequest> stream, string path, Percent percent, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ChunkBytes];
        await using FileStream file = new(path, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 0 });
        while (true)
        {
            int read = await file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return;
            }

            await stream.WriteAsync(new LoadRequest { Chunk = ByteString.CopyFrom(buffer, 0, read) }, cancellationToken).ConfigureAwait(false);
            percent.Add(read);
        }
    }

    private static LoadHeader.Types.Part ToPart(ImagePart part) => new() { Bytes = (ulong)part.Bytes, Sha256 = part.Sha256 };

    private sealed class Percent(StepContext context, long total)
    {
        private long _done;
        private long _told;

        public void Add(long bytes)
        {
            _done += bytes;
            long now = _done * 100 / Math.Max(1, total) / PercentPerLine * PercentPerLine;
            if (now > _told)
            {
                _told = now;
                context.Progress($"{now} % of {total >> 20} MiB sent");
            }
        }
    }
}
