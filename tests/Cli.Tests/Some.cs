using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>Upgrades in the states that tests need.</summary>
internal static class Some
{
    public const string Id = "11111111-2222-3333-4444-555555555555";
    public const string BootA = "aaaaaaaa-0000-4000-8000-000000000000";
    public const string BootB = "bbbbbbbb-0000-4000-8000-000000000000";

    private static readonly DateTimeOffset Begin = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    public static Upgrade Upgrade(string state, string id = Id, string guest = "vm-1") => new()
    {
        Id = id,
        RolloutId = "99999999-2222-3333-4444-555555555555",
        Host = "host-1",
        Guest = guest,
        Image = "sha256:0123456789abcdef0123456789abcdef",
        ImageName = "debian-6.12",
        State = state,
        Created = Timestamp.FromDateTimeOffset(Begin),
        KernelReleaseBefore = "6.1.0-56-cloud-amd64",
        BootIdBefore = BootA,
    };

    public static Upgrade Running(string state, string progress = "", string id = Id, string guest = "vm-1")
    {
        var upgrade = Upgrade(state, id, guest);
        upgrade.Progress = progress;
        upgrade.WaitsFor = $"{state} on {guest}";
        upgrade.Steps.Add(new StepRow { Step = state, State = "Running", Started = Timestamp.FromDateTimeOffset(Begin) });
        return upgrade;
    }

    public static Upgrade Completed(string id = Id, string guest = "vm-1")
    {
        var upgrade = Upgrade("Completed", id, guest);
        upgrade.Ended = true;
        upgrade.Succeeded = true;
        upgrade.Finished = Timestamp.FromDateTimeOffset(Begin.AddSeconds(34.25));
        upgrade.KernelReleaseAfter = "6.12.117+deb12-cloud-amd64";
        upgrade.BootIdAfter = BootB;
        upgrade.Strategy = "Twin";
        upgrade.Signature = "valid";
        upgrade.CpusOnlineAfter = 4;
        upgrade.CpusPresentAfter = 4;
        upgrade.MachineMemoryBytes = 1 << 30;
        upgrade.MachineMemoryOwnedAfter = 1 << 30;
        upgrade.Outage = new Outage
        {
            LongestGap = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(87)),
            Sent = 12345,
            Answered = 12260,
            Interval = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1)),
        };
        upgrade.Steps.Add(new StepRow
        {
            Step = "Reserve",
            State = "Succeeded",
            Duration = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1240)),
            Timings = { new TimingRow { Name = "reserve.memory.offline", Clock = $"guest:{BootA}", Nanoseconds = 850_400_000 } },
        });
        upgrade.Steps.Add(new StepRow { Step = "Commit", State = "Succeeded", Duration = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(312.5)) });
        return upgrade;
    }

    public static Upgrade RolledBack(string id = Id, string guest = "vm-1")
    {
        var upgrade = Upgrade("RolledBack", id, guest);
        upgrade.Ended = true;
        upgrade.Finished = Timestamp.FromDateTimeOffset(Begin.AddSeconds(70));
        upgrade.FailedStep = "Standby";
        upgrade.Failure = "StandbyKernelSilent";
        upgrade.Reason = "Kernel B did not report in within 20 s.";
        return upgrade;
    }
}
