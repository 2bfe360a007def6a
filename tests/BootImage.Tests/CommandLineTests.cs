namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class CommandLineTests
{
    private const string Added =
        "console=ttyS1,115200 maxcpus=1 noreplace-smp no_ipi_broadcast=1 tsc_early_khz=2499990 tsc=reliable pci=off nokaslr panic=0 reserve=0x3f8,8,0x3e8,8,0x2e8,8 twinkernel.control=0x37ff0000";

    [Theory]
    [InlineData("", "")]
    [InlineData("quiet", "quiet ")]
    [InlineData("  quiet   ro ", "quiet ro ")]
    [InlineData("console=tty0 console=ttyS0,115200n8 quiet", "quiet ")]
    [InlineData("panic=-1 tsc=unstable tsc_early_khz=5 no_ipi_broadcast=0 quiet twinkernel.control=0x1", "quiet ")]
    [InlineData("maxcpus=1 pci=off nokaslr", "")]
    [InlineData("no-ipi-broadcast=0", "")]
    [InlineData("panic_on_oops=1 pcie_aspm=off consoleblank=0", "panic_on_oops=1 pcie_aspm=off consoleblank=0 ")]
    [InlineData("dyndbg=\"file a.c +p; console=x\" quiet", "dyndbg=\"file a.c +p; console=x\" quiet ")]
    [InlineData("acpi=force", "acpi=force ")]
    public void Should_add_what_a_twin_boot_needs_once(string image, string kept) => Build(image).ShouldBe(kept + Added);

    [Fact]
    public void Should_leave_the_arguments_of_init_behind_the_dashes() =>
        Build("quiet -- console=tty1 single").ShouldBe("quiet " + Added + " -- console=tty1 single");

    [Theory]
    [InlineData("maxcpus=4")]
    [InlineData("nr_cpus=2")]
    [InlineData("nosmp")]
    [InlineData("pci=nomsi")]
    [InlineData("acpi=off")]
    [InlineData("mem=512M")]
    [InlineData("memmap=1M$0x1000000")]
    [InlineData("crashkernel=128M")]
    [InlineData("noapic")]
    [InlineData("earlyprintk=ttyS0")]
    [InlineData("\"maxcpus=4\"")]
    public void Should_refuse_what_it_cannot_keep(string parameter)
    {
        var error = Should.Throw<BootImageException>(() => Build($"quiet {parameter} ro"));
        error.Field.ShouldBe("CommandLine");
        error.Violations.Count.ShouldBe(1);
        error.Violations[0].Found.ShouldBe(parameter);
    }

    [Fact]
    public void Should_use_the_console_of_the_request() =>
        BootPlanner.Plan(SampleRequest.Valid() with { Console = "ttyS3" }).CommandLine.ShouldContain("console=ttyS3 ");

    private static string Build(string image) => BootPlanner.Plan(SampleRequest.Valid() with { CommandLine = image }).CommandLine;
}
