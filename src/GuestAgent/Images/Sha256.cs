using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace TwinKernel.Fleet.GuestAgent.Images;

/// <summary>
/// SHA-256 (FIPS 180-4), fed piece by piece. The framework's own needs OpenSSL's libraries, which a guest's initramfs does not carry.
/// Compared with the framework's in the tests.
/// </summary>
public sealed class Sha256
{
    public const int HashBytes = 32;
    private const int BlockBytes = 64;

    private static ReadOnlySpan<uint> K =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    private readonly uint[] _state = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    private readonly byte[] _pending = new byte[BlockBytes];
    private ulong _length;

    public static byte[] Of(ReadOnlySpan<byte> bytes)
    {
        Sha256 hash = new();
        hash.Append(bytes);
        return hash.Finish();
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        int filled = (int)(_length % BlockBytes);
        _length += (ulong)bytes.Length;
        if (filled > 0)
        {
            int taken = Math.Min(BlockBytes - filled, bytes.Length);
            bytes[..taken].CopyTo(_pending.AsSpan(filled));
            bytes = bytes[taken..];
            if (filled + taken < BlockBytes)
            {
                return;
            }

            Compress(_pending);
        }

        for (; bytes.Length >= BlockBytes; bytes = bytes[BlockBytes..])
        {
            Compress(bytes);
        }

        bytes.CopyTo(_pending);
    }

    /// <summary>The hash. The instance is used up.</summary>
    public byte[] Finish()
    {
        ulong bits = _length * 8;
        int padding = (int)((BlockBytes + 55 - (_length % BlockBytes)) % BlockBytes) + 1;
        Span<byte> tail = stackalloc byte[padding + 8];
        tail.Clear();
        tail[0] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(tail[padding..], bits);
        Append(tail);
        byte[] hash = new byte[HashBytes];
        for (int i = 0; i < _state.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(hash.AsSpan(4 * i), _state[i]);
        }

        return hash;
    }

    /// <summary>Eight rounds written out, so that the eight words stay where they are instead of moving on by one each round.</summary>
    [SkipLocalsInit]
    private unsafe void Compress(ReadOnlySpan<byte> block)
    {
        uint* w = stackalloc uint[64];
        for (int i = 0; i < 16; i++)
        {
            w[i] = BinaryPrimitives.ReadUInt32BigEndian(block[(4 * i)..]);
        }

        for (int i = 16; i < 64; i++)
        {
            uint before = w[i - 15], last = w[i - 2];
            w[i] = w[i - 16] + w[i - 7]
                + (BitOperations.RotateRight(before, 7) ^ BitOperations.RotateRight(before, 18) ^ (before >> 3))
                + (BitOperations.RotateRight(last, 17) ^ BitOperations.RotateRight(last, 19) ^ (last >> 10));
        }

        uint a = _state[0], b = _state[1], c = _state[2], d = _state[3], e = _state[4], f = _state[5], g = _state[6], h = _state[7];
        fixed (uint* k = K)
        {
            for (int i = 0; i < 64; i += 8)
            {
                h += Sum1(e) + (g ^ (e & (f ^ g))) + k[i] + w[i];
                d += h;
                h += Sum0(a) + ((a & b) | (c & (a | b)));
                g += Sum1(d) + (f ^ (d & (e ^ f))) + k[i + 1] + w[i + 1];
                c += g;
                g += Sum0(h) + ((h & a) | (b & (h | a)));
                f += Sum1(c) + (e ^ (c & (d ^ e))) + k[i + 2] + w[i + 2];
                b += f;
                f += Sum0(g) + ((g & h) | (a & (g | h)));
                e += Sum1(b) + (d ^ (b & (c ^ d))) + k[i + 3] + w[i + 3];
                a += e;
                e += Sum0(f) + ((f & g) | (h & (f | g)));
                d += Sum1(a) + (c ^ (a & (b ^ c))) + k[i + 4] + w[i + 4];
                h += d;
                d += Sum0(e) + ((e & f) | (g & (e | f)));
                c += Sum1(h) + (b ^ (h & (a ^ b))) + k[i + 5] + w[i + 5];
                g += c;
                c += Sum0(d) + ((d & e) | (f & (d | e)));
                b += Sum1(g) + (a ^ (g & (h ^ a))) + k[i + 6] + w[i + 6];
                f += b;
                b += Sum0(c) + ((c & d) | (e & (c | d)));
                a += Sum1(f) + (h ^ (f & (g ^ h))) + k[i + 7] + w[i + 7];
                e += a;
                a += Sum0(b) + ((b & c) | (d & (b | c)));
            }
        }

        _state[0] += a;
        _state[1] += b;
        _state[2] += c;
        _state[3] += d;
        _state[4] += e;
        _state[5] += f;
        _state[6] += g;
        _state[7] += h;
    }

    /// <summary>The three rotations, by 2, 13 and 22, one out of the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Sum0(uint a) => BitOperations.RotateRight(BitOperations.RotateRight(BitOperations.RotateRight(a, 9) ^ a, 11) ^ a, 2);

    /// <summary>By 6, 11 and 25.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Sum1(uint e) => BitOperations.RotateRight(BitOperations.RotateRight(BitOperations.RotateRight(e, 14) ^ e, 5) ^ e, 6);
}
