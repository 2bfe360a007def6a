using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Tests.Images;

public sealed class ImageStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_image_is_found_by_name_and_by_digest_and_stands_its_check()
    {
        string digest = TestImages.Write(_directory.Path, "a");
        TestImages.Write(_directory.Path, "b", 100);
        ImageStore store = TestImages.Store(_directory.Path);
        store.Find("a").Digest.ShouldBe(digest);
        store.Find(digest).Manifest.Name.ShouldBe("a");
        store.List().Count.ShouldBe(2);
        await ImageStore.VerifyAsync(store.Find("a"), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_missing_image_is_told_with_what_is_there()
    {
        TestImages.Write(_directory.Path, "a");
        Should.Throw<ImageNotFoundException>(() => TestImages.Store(_directory.Path).Find("b")).Message.ShouldContain("which holds a (sha256:");
    }

    [Fact]
    public async Task A_changed_part_is_told_with_both_digests_and_sizes()
    {
        TestImages.Write(_directory.Path, "a");
        string initrd = _directory.File("a/initrd.img");
        byte[] bytes = await File.ReadAllBytesAsync(initrd);
        bytes[7] ^= 1;
        await File.WriteAllBytesAsync(initrd, bytes);
        StoredImage image = TestImages.Store(_directory.Path).Find("a");
        (await Should.ThrowAsync<ImageDamagedException>(() => ImageStore.VerifyAsync(image, default))).Message.ShouldContain(image.Manifest.Initrd.Sha256);
        await File.WriteAllBytesAsync(initrd, bytes[1..]);
        (await Should.ThrowAsync<ImageDamagedException>(() => ImageStore.VerifyAsync(image, default))).Message.ShouldContain("4095 bytes, its manifest says 4096");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("""{"formatVersion":1,"name":"x","kernelRelease":"1","commandLine":"","kernel":{"file":"../vmlinuz","bytes":1,"sha256":""},"initrd":{"file":"i","bytes":1,"sha256":""}}""")]
    public void A_manifest_that_cannot_be_read_or_leads_elsewhere_is_left_out(string manifest)
    {
        TestImages.Write(_directory.Path, "good");
        Directory.CreateDirectory(_directory.File("bad"));
        File.WriteAllText(_directory.File("bad/manifest.json"), manifest);
        TestImages.Store(_directory.Path).List().Select(i => i.Manifest.Name).ShouldBe(["good"]);
    }
}
