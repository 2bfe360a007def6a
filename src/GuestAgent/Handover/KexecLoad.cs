using Grpc.Core;
using TwinKernel.Fleet.BootImage;
using TwinKernel.Fleet.GuestAgent.Images;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>The Load step by kexec: receives the image and loads it into this kernel, which goes on.</summary>
public sealed class KexecLoad(KexecImage image, KernelFiles files)
{
    /// <param name="nextChunk">The next bytes as they arrive; null at the end.</param>
    public void Run(StepContext context, Wire.LoadHeader header, Func<CancellationToken, ReadOnlyMemory<byte>?> nextChunk)
    {
        using ImageReceiver received = ImageReceiver.Receive(context, header, MemoryInfo.Read(files, "MemAvailable"), nextChunk);
        try
        {
            context.Facts["kernel_release"] = BzImage.Parse(received.Kernel).KernelVersion.Split(' ')[0];
            context.Facts["signature"] = context.Measure("kexec", () => image.Load(received.Kernel.Span, received.Initrd.Span, header.CommandLine));
        }
        catch (BootImageException error)
        {
            throw new StepFailure(StatusCode.InvalidArgument, Reasons.ImageInvalid, error.Message, error);
        }
        catch (KexecException error)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.KexecRefused, error.Message, error);
        }

        context.Facts["image"] = header.ImageDigest;
        if (image.Requires(header.RequireSignature) && context.Facts["signature"] != KexecImage.Valid)
        {
            image.Unload();
            throw SignatureRejected(context.Facts["signature"]);
        }
    }

    /// <summary>A valid signature is required and the verdict is another one.</summary>
    public static StepFailure SignatureRejected(string verdict) => new(StatusCode.FailedPrecondition, Reasons.SignatureRejected,
        $"The image's signature is {verdict}, as this kernel says, and a valid one is required: use an image that is signed with a key that this kernel trusts.");
}
