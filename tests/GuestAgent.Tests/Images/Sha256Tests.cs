using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.GuestAgent.Images;

namespace TwinKernel.Fleet.GuestAgent.Tests.Images;

public sealed class Sha256Tests
{
    [Fact]
    public void Is_the_frameworks_for_every_length_around_block_boundaries()
    {
        byte[] bytes = new byte[300];
        new Random(7).NextBytes(bytes);
        for (int length = 0; length <= bytes.Length; length++)
        {
            Sha256.Of(bytes.AsSpan(0, length)).ShouldBe(SHA256.HashData(bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Does_not_depend_on_how_the_bytes_arrive() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
        Gen.ArrayOf(Gen.Choose(0, 200)).ToArbitrary(), sizes =>
        {
            byte[] bytes = new byte[sizes.Sum()];
            new Random(sizes.Length).NextBytes(bytes);
            Sha256 hash = new();
            int at = 0;
            foreach (int size in sizes)
            {
                hash.Append(bytes.AsSpan(at, size));
                at += size;
            }

            return hash.Finish().SequenceEqual(SHA256.HashData(bytes));
        }));
}
