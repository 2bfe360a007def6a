using System.Buffers.Binary;
using System.Security.Cryptography;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>The same question gets the same message id, whoever sends it and however often (UUID version 8, RFC 9562).</summary>
internal static class MessageIdentity
{
    public static Guid Of(Guid upgrade, long epoch, UpgradeStep step, int attempt)
    {
        Span<byte> question = stackalloc byte[32];
        upgrade.TryWriteBytes(question, bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(question[16..], epoch);
        BinaryPrimitives.WriteInt32BigEndian(question[24..], (int)step);
        BinaryPrimitives.WriteInt32BigEndian(question[28..], attempt);

        Span<byte> id = stackalloc byte[32];
        SHA256.HashData(question, id);
        id[6] = (byte)((id[6] & 0x0f) | 0x80);
        id[8] = (byte)((id[8] & 0x3f) | 0x80);
        return new Guid(id[..16], bigEndian: true);
    }
}
