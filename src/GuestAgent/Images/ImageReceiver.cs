using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Images;

/// <summary>Takes an image's bytes as they arrive, kernel first, and hashes them on arrival. They are gone when it is disposed of.</summary>
public sealed class ImageReceiver : IDisposable
{
    private readonly Wire.LoadHeader _header;
    private readonly UnmanagedBytes _bytes;
    private readonly Sha256 _kernelHash = new();
    private readonly Sha256 _initrdHash = new();
    private readonly int _kernelBytes;
    private int _received;

    /// <exception cref="StepFailure">The header is incomplete, or the image larger than <paramref name="limit"/>: all reasons at once.</exception>
    public ImageReceiver(Wire.LoadHeader header, ulong limit)
    {
        List<string> problems = [];
        Check(problems, "kernel", header.Kernel);
        Check(problems, "initrd", header.Initrd);
        if (!header.ImageDigest.StartsWith("sha256:", StringComparison.Ordinal) || !IsHash(header.ImageDigest.AsSpan(7)))
        {
            problems.Add("image_digest is not sha256: and 64 lower-case hex digits");
        }

        if (problems.Count == 0 && (header.Kernel.Bytes > limit || header.Initrd.Bytes > limit || header.Kernel.Bytes + header.Initrd.Bytes > limit))
        {
            problems.Add($"kernel ({header.Kernel.Bytes} bytes) and initrd ({header.Initrd.Bytes} bytes) do not fit into {limit} bytes");
        }

        if (problems.Count > 0)
        {
            throw new StepFailure(StatusCode.InvalidArgument, Reasons.ImageInvalid, $"The image's header is refused: {string.Join("; ", problems)}.");
        }

        _header = header;
        _kernelBytes = (int)header.Kernel.Bytes;
        _bytes = new UnmanagedBytes(_kernelBytes + (int)header.Initrd.Bytes);
    }

    /// <summary>Takes a whole image.</summary>
    /// <param name="context">The step, in which this is the part <c>receive</c>.</param>
    /// <param name="header">What is promised.</param>
    /// <param name="limit">Bytes that kernel and initrd may have together.</param>
    /// <param name="nextChunk">The next bytes as they arrive; null at the end.</param>
    /// <exception cref="StepFailure">The header is refused, or the bytes are not those it promises.</exception>
    public static ImageReceiver Receive(StepContext context, Wire.LoadHeader header, ulong limit, Func<CancellationToken, ReadOnlyMemory<byte>?> nextChunk)
    {
        ImageReceiver receiver = new(header, limit);
        try
        {
            context.Measure("receive", () =>
            {
                while (nextChunk(context.Cancellation) is { } chunk)
                {
                    receiver.Append(chunk.Span);
                }

                receiver.Complete();
            });
        }
        catch
        {
            receiver.Dispose();
            throw;
        }

        return receiver;
    }

    public ReadOnlyMemory<byte> Kernel => _bytes.Memory[.._kernelBytes];

    public ReadOnlyMemory<byte> Initrd => _bytes.Memory[_kernelBytes..];

    public void Dispose() => ((IDisposable)_bytes).Dispose();

    /// <exception cref="StepFailure">More bytes than the header promised.</exception>
    public void Append(ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length > _bytes.Length - _received)
        {
            throw Mismatch($"more than the {_bytes.Length} bytes that the header promised arrived");
        }

        chunk.CopyTo(_bytes.GetSpan()[_received..]);
        int ofKernel = Math.Clamp(_kernelBytes - _received, 0, chunk.Length);
        _kernelHash.Append(chunk[..ofKernel]);
        _initrdHash.Append(chunk[ofKernel..]);
        _received += chunk.Length;
    }

    /// <exception cref="StepFailure">Size or digest of a part differs from the header's.</exception>
    public void Complete()
    {
        if (_received != _bytes.Length)
        {
            throw Mismatch($"{_received} of {_bytes.Length} bytes arrived");
        }

        List<string> problems = [];
        Compare(problems, "kernel", _kernelHash, _header.Kernel);
        Compare(problems, "initrd", _initrdHash, _header.Initrd);
        if (problems.Count > 0)
        {
            throw Mismatch(string.Join("; ", problems));
        }
    }

    private static void Check(List<string> problems, string name, Wire.LoadHeader.Types.Part? part)
    {
        if (part is null || part.Bytes == 0)
        {
            problems.Add($"{name} is missing or empty");
        }
        else if (!IsHash(part.Sha256))
        {
            problems.Add($"{name}.sha256 is not 64 lower-case hex digits");
        }
    }

    private static bool IsHash(ReadOnlySpan<char> text) => text.Length == 2 * Sha256.HashBytes && !text.ContainsAnyExcept("0123456789abcdef");

    private static void Compare(List<string> problems, string name, Sha256 hash, Wire.LoadHeader.Types.Part part)
    {
        string found = Convert.ToHexStringLower(hash.Finish());
        if (found != part.Sha256)
        {
            problems.Add($"{name}: SHA-256 is {found}, the header promised {part.Sha256}");
        }
    }

    private static StepFailure Mismatch(string what) =>
        new(StatusCode.InvalidArgument, Reasons.DigestMismatch, $"The image is refused, and nothing was written: {what}.");
}
