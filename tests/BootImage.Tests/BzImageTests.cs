namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class BzImageTests
{
    [Fact]
    public void Should_read_what_the_header_says()
    {
        var bytes = new SampleImage { InitSize = 0x37dc000, Alignment = 16 << 20 }.Build();
        var image = BzImage.Parse(bytes);

        image.ProtocolVersion.ShouldBe((ushort)0x20f);
        image.SetupBytes.ShouldBe(40 * 512);
        image.InitSize.ShouldBe(0x37dc000u);
        image.PreferredAddress.ShouldBe(16ul << 20);
        image.Alignment.ShouldBe(16u << 20);
        image.Relocatable.ShouldBeTrue();
        image.InitrdAddressMax.ShouldBe(0x7fff_ffffu);
        image.CommandLineSize.ShouldBe(2047u);
        image.XLoadFlags.ShouldBe((ushort)0x7f);
        image.KernelVersion.ShouldBe("6.1.0-56-cloud-amd64 (build@example) #1 SMP");
        image.PayloadBytes.ShouldBe(64 << 10);
        image.Payload.Span.SequenceEqual(bytes.AsSpan(40 * 512, 64 << 10)).ShouldBeTrue();
    }

    [Fact]
    public void Should_view_the_kernel_and_not_copy_it()
    {
        var bytes = new SampleImage().Build();
        var image = BzImage.Parse(bytes);
        bytes[40 * 512] ^= 0xff;
        image.Payload.Span[0].ShouldBe(bytes[40 * 512]);
    }

    [Fact]
    public void Should_read_the_beginning_of_an_image_that_is_still_to_come()
    {
        var bytes = new SampleImage().Build();
        var header = BzImage.ParseHeader(bytes.AsMemory(0, 0x8000), bytes.Length);
        header.KernelVersion.ShouldStartWith("6.1.0");
        header.PayloadBytes.ShouldBe(64 << 10);
        header.Payload.IsEmpty.ShouldBeTrue();

        Should.Throw<BootImageException>(() => BzImage.ParseHeader(bytes.AsMemory(0, 0x8000), bytes.Length - 2048)).Field.ShouldBe("syssize");
        Should.Throw<BootImageException>(() => BootPlanner.Plan(SampleRequest.Valid() with { Kernel = header })).Field.ShouldBe("Kernel");
    }

    public static TheoryData<string, int, int, string> Wrong => new()
    {
        { "boot_flag", 0x1fe, 2, "0000" },
        { "header", 0x202, 4, "00000000" },
        { "version", 0x206, 2, "0d02" }, /* 2.13 */
        { "jump", 0x201, 1, "20" },
        { "jump", 0x201, 1, "ff" },
        { "xloadflags", 0x236, 2, "7e00" },
        { "loadflags", 0x211, 1, "00" },
        { "setup_sects", 0x1f1, 1, "ff" },
        { "syssize", 0x1f4, 4, "00000100" },
        { "syssize", 0x1f4, 4, "00000000" },
        { "syssize", 0x1f4, 4, "ffffffff" },
        { "payload_length", 0x24c, 4, "ffffffff" },
        { "init_size", 0x260, 4, "ff000000" },
        { "kernel_alignment", 0x230, 4, "00003000" },
        { "kernel_alignment", 0x230, 4, "00000000" },
        { "pref_address", 0x258, 8, "0000000000000080" },
        { "cmdline_size", 0x238, 4, "00000000" },
        { "kernel_version", 0x20e, 2, "ffff" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Should_name_the_field_that_is_wrong(string field, int offset, int length, string hex)
    {
        var bytes = new SampleImage().Build();
        Convert.FromHexString(hex).AsSpan(0, length).CopyTo(bytes.AsSpan(offset));
        var error = Should.Throw<BootImageException>(() => BzImage.Parse(bytes));
        error.Violations.ShouldContain(v => v.Field == field);
        error.Message.ShouldContain(field);
        error.Message.ShouldContain("expected");
        error.Message.ShouldContain("found");
    }

    [Fact]
    public void Should_tell_all_that_is_wrong_at_once()
    {
        var bytes = new SampleImage { XLoadFlags = 0, Alignment = 3, CommandLineSize = 0 }.Build();
        Should.Throw<BootImageException>(() => BzImage.Parse(bytes)).Violations.Select(v => v.Field)
            .ShouldBe(["xloadflags", "kernel_alignment", "cmdline_size"]);
    }

    [Fact]
    public void Should_refuse_every_truncation()
    {
        var bytes = new SampleImage { Trailing = 0, KernelBytes = 4096 }.Build();
        BzImage.Parse(bytes).PayloadBytes.ShouldBe(4096);
        for (var length = 0; length < bytes.Length; length++)
        {
            var cut = bytes.AsMemory(0, length);
            Should.Throw<BootImageException>(() => BzImage.Parse(cut));
        }
    }

    [Fact]
    public void Should_refuse_a_beginning_without_all_of_the_header()
    {
        var bytes = new SampleImage().Build();
        bytes.AsSpan(0x20e, 2).Clear(); /* no version text, so that only the header counts */
        const int HeaderEnd = 0x202 + 0x6a;
        for (var length = 0; length < HeaderEnd; length++)
        {
            var cut = bytes.AsMemory(0, length);
            Should.Throw<BootImageException>(() => BzImage.ParseHeader(cut, bytes.Length)).Field.ShouldBe("image");
        }

        BzImage.ParseHeader(bytes.AsMemory(0, HeaderEnd), bytes.Length).KernelVersion.ShouldBe("");
    }

    /// <summary>Seeded: the same mutations every time.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Should_never_throw_anything_else_on_mutated_images(int seed)
    {
        var random = new Random(seed);
        var pristine = new SampleImage { KernelBytes = 4096 }.Build();
        var request = SampleRequest.Valid();
        int refused = 0, accepted = 0;
        for (var round = 0; round < 5000; round++)
        {
            var bytes = Mutate(pristine, random);
            try
            {
                var kernel = BzImage.Parse(bytes);
                accepted++;
                kernel.Payload.Length.ShouldBe((int)kernel.PayloadBytes);
                var plan = BootPlanner.Plan(request with { Kernel = kernel });
                plan.Segments.ShouldAllBe(s => request.Slot.Contains(s.Range));
            }
            catch (BootImageException error)
            {
                error.Violations.ShouldNotBeEmpty();
                refused++;
            }
        }

        /* Both must happen, or the mutations prove nothing. */
        refused.ShouldBeGreaterThan(500);
        accepted.ShouldBeGreaterThan(500);
    }

    private static byte[] Mutate(byte[] pristine, Random random)
    {
        var bytes = pristine.AsSpan(0, random.Next(8) == 0 ? random.Next(pristine.Length + 1) : pristine.Length).ToArray();
        for (var n = random.Next(1, 4); n > 0 && bytes.Length > 0x1f1; n--)
        {
            var at = random.Next(0x1f1, Math.Min(bytes.Length, 0x26c));
            switch (random.Next(3))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                default:
                    bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)).Fill((byte)(random.Next(2) * 255));
                    break;
            }
        }

        return bytes;
    }
}
