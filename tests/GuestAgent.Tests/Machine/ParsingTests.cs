using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Tests.Machine;

public sealed class ParsingTests
{
    [Theory]
    [InlineData("0", new uint[] { 0 })]
    [InlineData("0-3,8", new uint[] { 0, 1, 2, 3, 8 })]
    [InlineData("", new uint[0])]
    public void Cpu_lists(string list, uint[] cpus) => CpuSwitch.ParseList(list).ShouldBe(cpus);

    [Theory]
    [InlineData("quiet console=ttyS0,115200 console=ttyS1", "ttyS1")]
    [InlineData("console=\"a b\" x", "a b")]
    [InlineData("xconsole=1 consoles=2", null)]
    public void Command_lines(string line, string? value) => KernelCommandLine.Value(line, "console").ShouldBe(value);

    [Fact]
    public void Network_configurations()
    {
        NetworkConfiguration both = NetworkConfiguration.Parse("10.0.2.15/24,10.0.2.2");
        (both.ToString(), both.Cidr, both.Mask.ToString()).ShouldBe(("10.0.2.15/24,10.0.2.2", "10.0.2.15/24", "255.255.255.0"));
        NetworkConfiguration.Parse("192.168.7.9/0").Mask.ToString().ShouldBe("0.0.0.0");
        NetworkConfiguration.Parse("192.168.7.9/32").Mask.ToString().ShouldBe("255.255.255.255");
        NetworkConfiguration.Parse("192.168.7.9/17").Mask.ToString().ShouldBe("255.255.128.0");
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.0.2.15")]
    [InlineData("10.0.2.15/33")]
    [InlineData("10.0.2/24")]
    [InlineData("::1/64")]
    [InlineData("10.0.2.15/24,")]
    [InlineData("10.0.2.15/24,10.0.2.2,1.1.1.1")]
    public void Other_network_configurations_are_refused(string text) => Should.Throw<FormatException>(() => NetworkConfiguration.Parse(text)).Message.ShouldContain($"'{text}'");

    [Theory]
    [InlineData("0000:00:02.0", 0u, 16u)]
    [InlineData("0000:ff:1f.7", 255u, 255u)]
    public void Pci_functions(string text, uint bus, uint devfn)
    {
        PciFunction.TryParse(text, out PciFunction function).ShouldBeTrue();
        (function.Bus, function.Devfn).ShouldBe((bus, devfn));
        function.ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("0001:00:02.0")]
    [InlineData("0000:00:20.0")]
    [InlineData("0000:00:02.8")]
    [InlineData("pci0000:00")]
    public void Other_names_are_no_pci_function(string text) => PciFunction.TryParse(text, out _).ShouldBeFalse();

    [Theory]
    [InlineData("384M", 384ul << 20)]
    [InlineData("0x20000000", 0x2000_0000ul)]
    [InlineData("1g", 1ul << 30)]
    [InlineData("4096", 4096ul)]
    public void Sizes(string text, ulong bytes)
    {
        Reserve.TrySize(text, out ulong found).ShouldBeTrue();
        found.ShouldBe(bytes);
    }

    [Theory]
    [InlineData(new[] { "--module", "/lib/x.ko", "--port", "1" }, "/lib/x.ko", 1)]
    [InlineData(new string[0], null, 7700)]
    public void Arguments(string[] arguments, string? module, int port)
    {
        AgentOptions options = AgentOptions.Parse(arguments);
        (options.Module, options.Port).ShouldBe((module, port));
    }

    [Fact]
    public void All_wrong_arguments_are_told_at_once()
    {
        string message = Should.Throw<FormatException>(() => AgentOptions.Parse(["--port", "0", "--colour", "red", "--module"])).Message;
        message.ShouldContain("--port 0");
        message.ShouldContain("--colour red");
        message.ShouldContain("--module");
    }
}
