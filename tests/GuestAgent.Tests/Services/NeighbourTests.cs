using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

public sealed class NeighbourTests
{
    /// <summary>As kernels print them: one resolved, one asked for in vain, one on another interface, one published for another.</summary>
    private const string Table = """
        IP address       HW type     Flags       HW address            Mask     Device
        10.0.2.2         0x1         0x2         52:55:0a:00:02:02     *        eth0
        10.0.2.77        0x1         0x0         00:00:00:00:00:00     *        eth0
        10.0.3.2         0x1         0x2         52:55:0a:00:03:02     *        eth1
        10.0.2.9         0x1         0x6         52:54:00:12:34:56     *        eth0
        """;

    private static Neighbour[] All => [.. Neighbour.Parse(Table, "eth0")];

    [Fact]
    public void Those_that_the_interface_has_resolved_are_read()
    {
        All.Select(neighbour => $"{neighbour.Host} {neighbour.Hardware}").ShouldBe(["10.0.2.2 52550A000202", "10.0.2.9 525400123456"]);
        Neighbour.Parse("rubbish\n10.0.2.2 0x1 2 52:55:0a:00:02:02 * eth0\n10.0.2.2 0x1 0x2 52:55 * eth0\n10.0.2 0x1 0xZ 52:55:0a:00:02:02 * eth0\n", "eth0").ShouldBeEmpty();
    }

    [Fact]
    public void What_was_written_is_read()
    {
        Neighbour.Read(Neighbour.Write(All)).ShouldBe(All);
        Neighbour.Read(Neighbour.Write(All).AsSpan(0, 19)).ShouldBe(All[..1]);
        Neighbour.Read(null).ShouldBeEmpty();
    }
}
