using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Contracts.Guest;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class GuestInspectTests : IAsyncLifetime
{
    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await FakeFleet.StartAsync();
        fleet.Answers.Inspected = new InspectGuestResponse
        {
            Host = "host-1",
            Guest = "vm-1",
            Observed = Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero)),
            Inspection = new Inspection
            {
                Status = new GuestStatus
                {
                    KernelRelease = "6.1.0-56-cloud-amd64",
                    BootId = Some.BootA,
                    UptimeNs = 125_000_000_000,
                    NetworkInterface = "eth0",
                    NetworkAddress = "10.0.2.15/24",
                    UpgradeId = Some.Id,
                    Steps = { new StepRecord { Step = Step.Start, State = StepState.Succeeded }, new StepRecord { Step = Step.Standby, State = StepState.Running } },
                    Instances = { new Instance { Id = 1, State = "alive", KernelRelease = "6.12.117", Cpus = { 3, 1 }, Slot = 2, BeatAgeNs = 7_000_000, ImageId = "sha256:0123456789abcdef0123456789abcdef" } },
                },
                Cpus = { Cpu(0, "this kernel"), Cpu(1, "instance 1"), Cpu(2, "this kernel"), Cpu(3, "instance 1") },
                Memory =
                {
                    new Inspection.Types.Memory { Start = 1 << 20, Bytes = 512 << 20, Owner = "this kernel" },
                    new Inspection.Types.Memory { Start = 513 << 20, Bytes = 384 << 20, Owner = "instance 1" },
                    new Inspection.Types.Memory { Start = 897 << 20, Bytes = 127 << 20, Owner = "this kernel" },
                },
                Slots = { new Inspection.Types.Slot { Id = 2, Start = 0x20100000, Bytes = 384 << 20, Window = 0x10000, Instance = 1 } },
                Functions =
                {
                    new Inspection.Types.Function { Address = "0000:00:02.0", Class = "0x020000", Driver = "virtio-pci", NetworkInterface = "eth0", Owner = "this kernel" },
                    new Inspection.Types.Function { Address = "0000:00:1f.0", Class = "0x060100", Owner = "this kernel" },
                    new Inspection.Types.Function { Address = "0000:01:00.0", Class = "0x020000", Driver = "twinkernel", Owner = "instance 1" },
                },
                Links = { new Inspection.Types.Link { Instance = 1, NetworkInterface = "twin0", Carrier = true, Counters = { ["tx_packets"] = 1234, ["rx_packets"] = 7, ["refused_index"] = 0 } } },
            },
        };
    }

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Fact]
    public async Task A_person_sees_who_has_what()
    {
        var outcome = await Cli.RunAsync(fleet, "guest", "inspect", "vm-1", "--host", "host-1");
        outcome.Code.ShouldBe(0, outcome.Error);
        outcome.Lines.Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ShouldBe(
        [
            "Guest vm-1 on host-1, seen 2026-05-01 12:00:00Z",
            "Kernel 6.1.0-56-cloud-amd64, booted by firmware, up 2 min 05 s",
            $"Boot id {Some.BootA}",
            "Network eth0 10.0.2.15/24",
            $"Upgrade {Some.Id}: start succeeded, standby running",
            "OWNER CPUS MEMORY FUNCTIONS",
            "this kernel 0,2 639.0 MiB 0000:00:02.0 eth0",
            "instance 1 1,3 384.0 MiB 0000:01:00.0 twinkernel",
            "INSTANCE STATE KERNEL CPUS SLOT LAST BEAT IMAGE",
            "1 alive 6.12.117 1,3 2 7.0 ms ago sha256:0123456789ab",
            "SLOT START SIZE WINDOW INSTANCE",
            "2 0x20100000 384.0 MiB 0x10000 1",
            "LINK TO INTERFACE CARRIER COUNTERS",
            "instance 1 twin0 up rx_packets 7, tx_packets 1,234",
        ]);
        fleet.Answers.Requests.ShouldBe([new InspectGuestRequest { Guest = "vm-1", Host = "host-1" }]);
    }

    [Fact]
    public async Task Json_holds_all_of_it()
    {
        var outcome = await Cli.RunAsync(fleet, "guest", "inspect", "vm-1", "--json");
        var inspection = JsonDocument.Parse(outcome.Out).RootElement.GetProperty("inspection");
        inspection.GetProperty("cpus").GetArrayLength().ShouldBe(4);
        inspection.GetProperty("functions")[1].GetProperty("class").GetString().ShouldBe("0x060100");
        inspection.GetProperty("status").GetProperty("instances")[0].GetProperty("state").GetString().ShouldBe("alive");
    }

    [Fact]
    public async Task A_guest_that_is_away_and_one_that_is_not_known_end_differently()
    {
        fleet.Answers.Refusal = new RpcException(new global::Grpc.Core.Status(StatusCode.FailedPrecondition, "The agent of host host-1 did not answer within 10 s."));
        var away = await Cli.RunAsync(fleet, "guest", "inspect", "vm-1");
        (away.Code, away.Out).ShouldBe((ExitCode.Refused, ""));
        away.Error.ShouldContain("did not answer");
        fleet.Answers.Refusal = new RpcException(new global::Grpc.Core.Status(StatusCode.NotFound, "Guest 'vm-1' is not known."));
        var unknown = await Cli.RunAsync(fleet, "guest", "inspect", "vm-1");
        unknown.Code.ShouldBe(ExitCode.NotFound);
        unknown.Error.ShouldContain("Next: twinfleet guests list");
    }

    private static Inspection.Types.Cpu Cpu(uint number, string owner) => new() { Number = number, ApicId = number, Owner = owner };
}
