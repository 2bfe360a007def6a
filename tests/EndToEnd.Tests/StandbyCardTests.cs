using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A card that is plugged in for kernel B, and memory that goes to it, while kernel A serves on the other card.</summary>
public sealed class StandbyCardTests(FleetFixture fleet)
{
    private const string Function = "0000:01:00.0";
    private const string FirstImage = HostUnderTest.ImageA + "-dwelling";

    [Fact]
    public async Task Both_kernels_serve_each_on_its_card_and_a_roll_back_leaves_A_as_it_was()
    {
        string images = Path.Combine(fleet.Directory, "card-images");
        HostUnderTest.CopyImages(images, FirstImage, HostUnderTest.ImageB, HostUnderTest.ImageB + "-panic-serving");
        GiveSpareMemory(Path.Combine(images, FirstImage, "manifest.json"));
        IPEndPoint standby = new(IPAddress.Loopback, FreePort.Udp());
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "cards", images, firstImage: FirstImage, standbyPort: standby.Port);
        Guest guest = await host.GuestAsync();
        Inspection before = await host.InspectAsync();
        before.Functions.ShouldNotContain(function => function.Address == Function);
        await using ServiceWatch own = new(IPEndPoint.Parse(guest.Address)), second = new(standby);

        Upgrade failed = await host.UpgradeAsync(HostUnderTest.ImageB + "-panic-serving");

        failed.State.ShouldBe("RolledBack", failed.Reason);
        failed.FailedStep.ShouldBeOneOf("CutOver", "Probation");
        second.Answers.ShouldNotBeEmpty();
        Inspection back = await host.InspectAsync();
        (back.Status.BootId, back.Status.MemoryBytes).ShouldBe((before.Status.BootId, before.Status.MemoryBytes));
        (back.Cpus, back.Memory, back.Functions, back.Slots, back.Links).ShouldBe((before.Cpus, before.Memory, before.Functions, before.Slots, before.Links));
        IsFree(standby).ShouldBeTrue("the card's network has gone with the card");

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB);

        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        (string BootId, long At)[] ofB = [.. second.Answers.Where(answer => answer.BootId == upgrade.BootIdAfter)];
        ofB.ShouldNotBeEmpty("kernel B serves on the second card");
        second.Answers.ShouldAllBe(answer => answer.BootId != before.Status.BootId);
        own.Answers.Count(answer => answer.BootId == before.Status.BootId && answer.At > ofB[0].At && answer.At < ofB[^1].At)
            .ShouldBeGreaterThan(0, "kernel A serves on the first card at the same time");
        own.Answers[^1].BootId.ShouldBe(upgrade.BootIdAfter);
        Inspection after = await host.InspectAsync();
        after.Functions.Select(function => (function.Driver, function.Owner)).ShouldBe([("virtio-pci", "this kernel"), ("virtio-pci", "this kernel")]);
        after.Functions.ShouldContain(function => function.Address == Function);
        (int exitCode, string output, string error) = await fleet.CliAsync("upgrade", "show", upgrade.Id);
        exitCode.ShouldBe(0, error);
        output.ShouldMatch(@"transfer\.plug .* m?s +host:cards");
        output.ShouldMatch($@"transfer\.function\.{Function} .* m?s +guest:");
        output.ShouldMatch(@"transfer\.memory\.\d+ .* m?s +guest:");
        upgrade.MachineMemoryOwnedAfter.ShouldBe(upgrade.MachineMemoryBytes);
    }

    private static void GiveSpareMemory(string manifest)
    {
        JsonNode image = JsonNode.Parse(File.ReadAllText(manifest))!;
        image["commandLine"] = $"{image["commandLine"]} twinkernel.transfer_memory=spare";
        File.WriteAllText(manifest, image.ToJsonString());
    }

    private static bool IsFree(IPEndPoint service)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(service);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
