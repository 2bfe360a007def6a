using System.Diagnostics;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A host of its own for one test: a HostAgent process and one guest, booted fresh on Debian's 6.1.</summary>
internal sealed class HostUnderTest : IAsyncDisposable
{
    public const string ImageA = "debian-6.1";
    public const string ImageB = "debian-6.12";

    private static readonly TimeSpan BootDeadline = TimeSpan.FromMinutes(3);

    private readonly FleetFixture fleet;
    private readonly string directory;
    private readonly string images;
    private readonly int cpus;
    private readonly string firstImage;
    private readonly int standbyPort;
    private readonly string? forward;
    private BuiltProgram agent;

    private HostUnderTest(FleetFixture fleet, string name, string images, int cpus, string firstImage, int standbyPort, string? forward)
    {
        this.fleet = fleet;
        this.images = images;
        this.cpus = cpus;
        this.firstImage = firstImage;
        this.standbyPort = standbyPort;
        this.forward = forward;
        Name = name;
        directory = Path.Combine(fleet.Directory, name);
        Directory.CreateDirectory(directory);
        agent = StartAgent();
    }

    public string Name { get; }

    public static async Task<HostUnderTest> StartAsync(FleetFixture fleet, string name, string? images = null, int cpus = 2, string firstImage = ImageA, int standbyPort = 0, string? forward = null)
    {
        HostUnderTest host = new(fleet, name, images ?? Repository.Find("state", "images"), cpus, firstImage, standbyPort, forward);
        await host.RunningAsync();
        return host;
    }

    /// <summary>Images of a test's own, to change.</summary>
    public static void CopyImages(string target, params IEnumerable<string> images)
    {
        foreach (string image in images)
        {
            Directory.CreateDirectory(Path.Combine(target, image));
            foreach (string file in Directory.EnumerateFiles(Repository.Find("state", "images", image)))
            {
                File.Copy(file, Path.Combine(target, image, Path.GetFileName(file)));
            }
        }
    }

    public async Task<Guest> GuestAsync() =>
        (await fleet.Client.ListGuestsAsync(new ListGuestsRequest { Host = Name })).Guests.Single();

    /// <summary>What the guest says of itself, through the command line.</summary>
    public async Task<Inspection> InspectAsync()
    {
        (int exitCode, string output, string error) = await fleet.CliAsync("guest", "inspect", "guest-1", "--host", Name, "--json");
        exitCode.ShouldBe(0, output + error);
        return InspectGuestResponse.Parser.ParseJson(output).Inspection;
    }

    /// <summary>Waits until the guest's agent answers.</summary>
    public Task RunningAsync() => Eventually.TrueAsync(
        BootDeadline,
        $"the guest of {Name} runs (logs in {directory})",
        async () => (await fleet.Client.ListGuestsAsync(new ListGuestsRequest { Host = Name })).Guests is [{ State: "running" }]);

    /// <summary>Starts an upgrade and returns it as it ended.</summary>
    public async Task<Upgrade> UpgradeAsync(string image, string strategy = "", bool requireSignature = false, string onPanic = "") =>
        await EndAsync((await StartUpgradeAsync(image, strategy, requireSignature, onPanic)).Id);

    /// <summary>Upgrades to the image, as after an attempt that failed: nothing of that stands in the way.</summary>
    public async Task UpgradesAsync(string image)
    {
        Upgrade upgrade = await UpgradeAsync(image);
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
    }

    public async Task<Upgrade> StartUpgradeAsync(string image, string strategy = "", bool requireSignature = false, string onPanic = "")
    {
        StartUpgradeRequest request = new()
        {
            Host = Name,
            Image = image,
            RequestId = $"{Guid.NewGuid()}",
            Strategy = strategy,
            RequireSignature = requireSignature,
            OnPanic = onPanic,
        };
        return (await fleet.Client.StartUpgradeAsync(request)).Upgrades.Single();
    }

    /// <summary>Follows an upgrade until it reaches one of the states or ends.</summary>
    public async Task<Upgrade> FollowAsync(string id, params string[] states)
    {
        Upgrade upgrade = new();
        await Eventually.TrueAsync(TimeSpan.FromMinutes(6), $"upgrade {id} reaches {string.Join('/', states)}", async () =>
        {
            upgrade = await fleet.Client.GetUpgradeAsync(new GetUpgradeRequest { Id = id });
            return upgrade.Ended || states.Contains(upgrade.State);
        });
        return upgrade;
    }

    public Task<Upgrade> EndAsync(string id) => FollowAsync(id);

    /// <summary>Ends the agent with KILL; its guest lives on.</summary>
    public Task KillAgentAsync() => agent.KillAsync();

    public void RestartAgent() => agent = StartAgent();

    /// <summary>Process id of the guest's QEMU, by the guest's name on its command line and this host's directory.</summary>
    public int MachineProcess() => Process.GetProcessesByName("qemu-system-x86_64")
        .Concat(Process.GetProcessesByName("qemu-system-x86"))
        .First(process => File.ReadAllText($"/proc/{process.Id}/cmdline").Contains(directory, StringComparison.Ordinal)).Id;

    /// <summary>Sits down at a serial port of the guest, 1 or 2.</summary>
    public GuestConsole Attach(int port) => new(BuiltProgram.StartInteractive(
        "HostAgent", "TwinKernel.Fleet.HostAgent", Settings(), "console", "guest-1", $"{port}"));

    /// <returns>What the program said when it refused.</returns>
    public async Task<string> AttachRefusedAsync(int port)
    {
        (int exitCode, string output, string error) = await BuiltProgram.RunAsync(
            "HostAgent", "TwinKernel.Fleet.HostAgent", Settings(), TimeSpan.FromMinutes(1), "console", "guest-1", $"{port}");
        exitCode.ShouldBe(1, output + error);
        return error;
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        (int exitCode, string output, string error) = await BuiltProgram.RunAsync(
            "HostAgent", "TwinKernel.Fleet.HostAgent", Settings(), TimeSpan.FromMinutes(1), "stop-guests");
        exitCode.ShouldBe(0, output + error);
    }

    private BuiltProgram StartAgent() => BuiltProgram.Start(
        "HostAgent", "TwinKernel.Fleet.HostAgent", Path.Combine(directory, "hostagent.log"), Settings());

    private Dictionary<string, string> Settings() => new(forward is null ? [] : [new("Host__Guests__0__Forwards__0", forward)])
    {
        ["Broker__Uri"] = fleet.Servers.BrokerUri.ToString(),
        ["Host__Name"] = Name,
        ["Host__Labels__zone"] = "test",
        ["Host__StateDirectory"] = Path.Combine(directory, "host"),
        ["Host__ImageDirectory"] = images,
        ["Host__Guests__0__Name"] = "guest-1",
        ["Host__Guests__0__Image"] = firstImage,
        ["Host__Guests__0__Cpus"] = $"{cpus}",
        ["Host__Guests__0__MemoryMiB"] = "2048",
        ["Host__Guests__0__StandbyPort"] = $"{standbyPort}",
        ["Host__HeartbeatInterval"] = "00:00:01",
        // On a busy machine an emulated CPU stands still for seconds without being dead; a kernel that panics tells it without being silent.
        ["Host__CutOverPatience"] = "00:00:15",
        ["Host__ProbationSettling"] = "00:00:06",
        ["Host__ProbationMaxGap"] = "00:00:05.9",
    };
}
