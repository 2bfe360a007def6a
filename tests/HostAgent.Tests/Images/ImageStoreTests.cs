using System.Security.Cryptography;
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

    [Fact]
    public void Where_keys_ask_for_it_only_an_image_whose_manifest_one_of_them_signed_is_there()
    {
        using ECDsa ours = Key("ours"), other = Key("other"), strange = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        List<string> errors = [];
        ImageStore store = TestImages.Store(_directory.File("images"), ImageKeys.Read(_directory.File("keys"), errors));
        errors.ShouldBeEmpty();
        foreach (string name in (string[])["signed", "too", "unsigned", "strangely", "changed", "damaged"])
        {
            TestImages.Write(_directory.File("images"), name);
        }

        Sign("signed", ours);
        Sign("too", other);
        Sign("strangely", strange);
        Sign("changed", ours);
        File.AppendAllText(_directory.File("images/changed/manifest.json"), " ");
        File.WriteAllBytes(_directory.File("images/damaged/manifest.json.sig"), [1, 2, 3]);
        store.List().Select(image => image.Manifest.Name).ShouldBe(["signed", "too"]);
        Sign("changed", other);
        store.List().Select(image => image.Manifest.Name).ShouldBe(["changed", "signed", "too"]);
        Should.Throw<ImageNotFoundException>(() => store.Find("unsigned"));

        ECDsa Key(string name)
        {
            ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            Directory.CreateDirectory(_directory.File("keys"));
            File.WriteAllText(_directory.File($"keys/{name}.pem"), key.ExportSubjectPublicKeyInfoPem());
            return key;
        }

        void Sign(string name, ECDsa key)
        {
            string manifest = _directory.File($"images/{name}/manifest.json");
            File.WriteAllBytes(manifest + ".sig", key.SignData(File.ReadAllBytes(manifest), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        }
    }

    [Fact]
    public void Everything_that_is_no_public_key_is_told_at_once()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        List<string> errors = [];
        ImageKeys.Read(_directory.Path, errors);
        ImageKeys.Read(_directory.File("none"), errors);
        ImageKeys.Read("relative", errors);
        errors.Select(error => error.Split(':')[1].Trim().Split(' ')[0]).ShouldBe(["ImageKeys", "ImageKeys", "ImageKeys"]);
        errors[0].ShouldContain("holds no *.pem");

        File.WriteAllText(_directory.File("a.pem"), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(_directory.File("b.pem"), "not a key");
        File.WriteAllText(_directory.File("c.pem"), key.ExportSubjectPublicKeyInfoPem());
        errors.Clear();
        ImageKeys.Read(_directory.Path, errors);
        errors.Count.ShouldBe(2);
        errors[0].ShouldContain("a.pem holds a private key");
        errors[1].ShouldContain("b.pem is no public key");
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
