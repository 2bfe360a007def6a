using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class ListTests : IAsyncLifetime
{
    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await FakeFleet.StartAsync();
        fleet.Answers.Hosts = new ListHostsResponse
        {
            Hosts =
            {
                new Host { Name = "host-1", Online = true, Guests = 2, Accelerator = "tcg", Labels = { ["zone"] = "z1", ["rack"] = "r1" }, AgentVersion = "0.1.0", LastSeen = Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero)) },
                new Host { Name = "[red]host-2", Accelerator = "kvm" },
            },
        };
        fleet.Answers.Guests = new ListGuestsResponse
        {
            Guests = { new Guest { Name = "vm-1", Host = "host-1", State = "running", KernelRelease = "6.1.0-56-cloud-amd64", BootId = Some.BootA, CpusOnline = 4, CpusPresent = 4, MemoryBytes = 1 << 30, Image = "sha256:0123456789abcdef0123456789abcdef", Address = "127.0.0.1:7777", Labels = { ["zone"] = "z1", ["host"] = "host-1", ["guest"] = "vm-1" } } },
        };
        fleet.Answers.Images = new ListImagesResponse
        {
            Images = { new Image { Name = "debian-6.12", Digest = "sha256:0123456789abcdef0123456789abcdef", KernelRelease = "6.12.117+deb12-cloud-amd64", Bytes = 31 << 20, State = "proven", Hosts = { "host-1", "host-2" } } },
        };
        fleet.Answers.Upgrades = new ListUpgradesResponse { Upgrades = { Some.Completed(), Some.Running("Load") } };
    }

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Theory]
    [InlineData("hosts list", "HOST STATE GUESTS ACCELERATOR AGENT LAST SEEN LABELS", "host-1 online 2 tcg 0.1.0 2026-05-01 12:00:00Z rack=r1,zone=z1", "[red]host-2 offline 0 kvm")]
    [InlineData("guests list", "GUEST HOST STATE KERNEL CPUS MEMORY BOOT ID IMAGE UPGRADE LABELS", "vm-1 host-1 running 6.1.0-56-cloud-amd64 4 of 4 1,024.0 MiB " + Some.BootA + " sha256:0123456789ab - zone=z1")]
    [InlineData("images list", "IMAGE STATE KERNEL SIZE DIGEST HOSTS", "debian-6.12 proven 6.12.117+deb12-cloud-amd64 31.0 MiB sha256:0123456789ab host-1, host-2")]
    [InlineData("upgrade list", "UPGRADE GUEST HOST IMAGE STATE CREATED TOOK OUTAGE", Some.Id + " vm-1 host-1 debian-6.12 Completed 2026-05-01 12:00:00Z 34.25 s 87.0 ms", Some.Id + " vm-1 host-1 debian-6.12 Load 2026-05-01 12:00:00Z - -")]
    public async Task A_pipe_gets_plain_columns(string command, params string[] expected)
    {
        var outcome = await Cli.RunAsync(fleet, command.Split(' '));
        outcome.Error.ShouldBe("");
        outcome.Code.ShouldBe(0);
        outcome.Out.ShouldNotContain('\u001b');
        outcome.Lines.Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ShouldBe(expected);
    }

    [Theory]
    [InlineData("hosts list --json", "hosts", 2)]
    [InlineData("guests list --json", "guests", 1)]
    [InlineData("--json images list", "images", 1)]
    [InlineData("upgrade list --json", "upgrades", 2)]
    public async Task Json_is_one_object_and_nothing_else(string command, string property, int count)
    {
        var outcome = await Cli.RunAsync(fleet, command.Split(' '));
        outcome.Code.ShouldBe(0);
        JsonDocument.Parse(outcome.Out).RootElement.GetProperty(property).GetArrayLength().ShouldBe(count);
        outcome.Error.ShouldBe("");
    }

    [Theory]
    [InlineData("hosts list", "host agent")]
    [InlineData("guests list", "Host:Guests")]
    [InlineData("images list", "Host:ImageDirectory")]
    [InlineData("upgrade list", "twinfleet upgrade start")]
    public async Task An_empty_list_says_what_to_do(string command, string hint)
    {
        fleet.Answers.Hosts = new();
        fleet.Answers.Guests = new();
        fleet.Answers.Images = new();
        fleet.Answers.Upgrades = new();
        var outcome = await Cli.RunAsync(fleet, command.Split(' '));
        outcome.Code.ShouldBe(0);
        outcome.Lines.Single().ShouldContain(hint);
    }

    [Fact]
    public async Task Filters_reach_the_coordinator()
    {
        (await Cli.RunAsync(fleet, "guests", "list", "--host", "host-1")).Code.ShouldBe(0);
        (await Cli.RunAsync(fleet, "upgrade", "list", "--host", "host-1", "--limit", "7")).Code.ShouldBe(0);
        fleet.Answers.Requests.ShouldBe([new ListGuestsRequest { Host = "host-1" }, new ListUpgradesRequest { Host = "host-1", Limit = 7 }]);
    }

    [Fact]
    public async Task A_terminal_gets_a_drawn_table()
    {
        var outcome = await Cli.RunAsync(fleet.Address.ToString(), true, new RecordedOutput(), CancellationToken.None, "images", "list");
        outcome.Out.ShouldContain("╭");
        outcome.Out.ShouldContain("debian-6.12");
    }
}
