using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Tests.Machines;

public sealed class QemuCommandLineTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(Accelerator.Tcg, "-accel tcg,thread=multi -cpu max")]
    [InlineData(Accelerator.Kvm, "-accel kvm -cpu host")]
    internal void The_machine_is_what_was_planned(Accelerator accelerator, string expected)
    {
        using StateDirectory state = StateDirectory.Open(_directory.Path);
        string line = string.Join(' ', QemuCommandLine.Build(Plan() with { Accelerator = accelerator }, new MachineFiles(state, "g1")));
        line.ShouldContain(expected);
        foreach (string part in (string[])["-machine q35", "-smp cpus=3", "-m size=768M", "-no-reboot", "-nodefaults", "hostfwd=tcp:127.0.0.1:0-10.0.2.15:7700", "hostfwd=udp:127.0.0.1:0-10.0.2.15:7777", "-append console=ttyS0 quiet", "-daemonize"])
        {
            line.ShouldContain(part);
        }

        line.IndexOf("chardev:console1", StringComparison.Ordinal).ShouldBeLessThan(line.IndexOf("chardev:console2", StringComparison.Ordinal));
    }

    [Fact]
    public void A_comma_in_a_path_does_not_end_the_option()
    {
        using StateDirectory state = StateDirectory.Open(_directory.File("a,b"));
        QemuCommandLine.Build(Plan(), new MachineFiles(state, "g1")).ShouldContain(a => a.Contains("/a,,b/s/g1.q,server=on", StringComparison.Ordinal));
    }

    [Fact]
    public void The_address_of_the_card_is_the_guests_own_and_stays()
    {
        QemuCommandLine.Mac("h", "g1").ShouldBe(QemuCommandLine.Mac("h", "g1"));
        QemuCommandLine.Mac("h", "g1").ShouldNotBe(QemuCommandLine.Mac("h", "g2"));
        QemuCommandLine.Mac("h", "g1").ShouldMatch("^52:54:00(:[0-9a-f]{2}){3}$");
    }

    [Fact]
    public void A_socket_path_beyond_the_kernels_limit_names_the_setting_to_shorten()
    {
        using StateDirectory state = StateDirectory.Open(_directory.File(new string('x', 60)));
        Should.Throw<InvalidOperationException>(() => new MachineFiles(state, new string('g', 63))).Message.ShouldContain("Shorten Host:StateDirectory");
    }

    [Fact]
    public void Forwarded_ports_are_read_from_QEMUs_list()
    {
        const string List = "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  TCP[HOST_FORWARD]  16       127.0.0.1 32939       10.0.2.15  7700     0     0\r\n  UDP[HOST_FORWARD]  15       127.0.0.1 50193       10.0.2.15  7777     0     0\r\n";
        const string Standby = "Hub -1 (standby):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  UDP[HOST_FORWARD]  21       127.0.0.1 40000       10.0.3.15  7777     0     0\r\n";
        UserNetwork.Parse(List).ShouldBe(new UserNetwork(32939, 50193));
        UserNetwork.Parse(List + Standby).ShouldBe(new UserNetwork(32939, 50193));
        UserNetwork.Parse(Standby + List).ShouldBe(new UserNetwork(32939, 50193));
        Should.Throw<QmpException>(() => UserNetwork.Parse(Standby));
        Should.Throw<QmpException>(() => UserNetwork.Parse("")).Message.ShouldContain("forwarded ports");
    }

    private static MachinePlan Plan() => new()
    {
        Host = "h",
        Guest = "g1",
        Uuid = Guid.NewGuid(),
        Cpus = 3,
        MemoryMiB = 768,
        Accelerator = Accelerator.Tcg,
        KernelPath = "/images/a/vmlinuz",
        InitrdPath = "/images/a/initrd.img",
        CommandLine = "console=ttyS0 quiet",
    };
}
