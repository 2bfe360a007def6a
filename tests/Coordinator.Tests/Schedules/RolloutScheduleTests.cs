using System.Globalization;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Quartz;
using TwinKernel.Fleet.Coordinator.Schedules;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Schedules;

/// <summary>Schedules with the real database, the real broker and the real Quartz.</summary>
public sealed class RolloutScheduleTests(ServersFixture servers)
{
    [Fact]
    public async Task One_firing_makes_one_rollout_however_many_coordinators_wake_and_a_person_other_than_its_maker_approves_it()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        await fleet.StartHostAsync("h1", "a", "b");
        Wire.Schedule made = await CreateAsync(coordinators[0], "nightly", """ "selector": "*" """, start: true);
        (made.RefusedNow.Count, made.Firings.Count, made.Upcoming.Count, made.Next).ShouldBe((0, 0, 5, made.Upcoming[0].At));
        DateTimeOffset due = await MakeDueAsync(fleet, "nightly", TimeSpan.FromMinutes(1));

        await Task.WhenAll(coordinators.SelectMany(coordinator => Enumerable.Repeat(coordinator, 3)).Select(FireAsync));

        string name = $"nightly-{due.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}";
        (await coordinators[1].UntilAsync(name, "Completed")).Members.ShouldAllBe(member => member.State == "Succeeded");
        Wire.Schedule after = await GetAsync(coordinators[2], "nightly");
        after.Firings.Select(firing => (firing.Due.ToDateTimeOffset(), firing.Outcome, firing.Rollout, firing.Reason)).ShouldBe([(due, "Made", name, "")]);
        after.Next.ToDateTimeOffset().ShouldBeGreaterThan(due + TimeSpan.FromHours(23));
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(1);
        Wire.ListAuditResponse audit = await coordinators[0].Client.ListAuditAsync(new Wire.ListAuditRequest());
        audit.Entries.Select(entry => (entry.Actor, entry.Act, entry.Subject)).Take(4).ShouldBe(
        [
            ("ann", "schedule-create", "nightly"), ("ann", "create", name), ("ann", "start", name), ("coordinator", "schedule-made", "nightly"),
        ]);

        // The same day once more, as when the clocks of the schedule were changed: another name. Woken by Quartz this time.
        await CreateAsync(coordinators[0], "eyes", """ "selector": "*", "fourEyes": true """);
        due = await MakeDueAsync(fleet, "eyes", TimeSpan.FromMinutes(1));
        await fleet.Read(db => db.Database.ExecuteSqlAsync($"update rollouts set name = {$"eyes-{due.UtcDateTime:yyyyMMdd}"}"));
        IScheduler quartz = await coordinators[1].App.Services.GetRequiredService<ISchedulerFactory>().GetScheduler();
        await quartz.TriggerJob(FireSchedules.Key);
        string second = (await Eventually.Get(() => GetAsync(coordinators[0], "eyes"), schedule => schedule.Firings.Count == 1, "Quartz fires it")).Firings[0].Rollout;
        second.ShouldBe($"eyes-{due.UtcDateTime:yyyyMMdd}-2");
        Wire.Rollout waits = await coordinators[0].GetRolloutAsync(second);
        (waits.State, waits.CreatedBy).ShouldBe(("AwaitingApproval", "ann"));
        Wire.ApproveRolloutRequest approval = new() { Rollout = second, PlanHash = waits.PlanHash, Actor = "ann" };
        (await Should.ThrowAsync<RpcException>(async () => await coordinators[0].Client.ApproveRolloutAsync(approval))).StatusCode.ShouldBe(StatusCode.FailedPrecondition);
        approval.Actor = "bob";
        (await coordinators[0].Client.ApproveRolloutAsync(approval)).State.ShouldBe("Ready");
    }

    [Fact]
    public async Task What_is_refused_is_told_with_its_reason_and_the_next_time_makes_a_rollout_again()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "a");
        Wire.Schedule made = await CreateAsync(coordinator, "nightly", """ "selector": "zone=nowhere" """);
        made.RefusedNow.ShouldContain(reason => reason.StartsWith("selector: "));
        await MakeDueAsync(fleet, "nightly", TimeSpan.FromMinutes(2));
        await FireAsync(coordinator);
        Wire.Schedule refused = await GetAsync(coordinator, "nightly");
        (refused.Firings.Single().Outcome, refused.Firings[0].Rollout, refused.Enabled).ShouldBe(("Refused", "", true));
        refused.Firings[0].Reason.ShouldContain("selector: ");
        refused.Next.ShouldNotBeNull();

        await CreateAsync(coordinator, "other", """ "selector": "*" """);
        await coordinator.Client.DenyImageAsync(new Wire.JudgeImageRequest { Image = "debian-6.12", Reason = "panics", Actor = "ann" });
        await MakeDueAsync(fleet, "other", TimeSpan.FromMinutes(2));
        await FireAsync(coordinator);
        (await GetAsync(coordinator, "other")).Firings.Single().Reason.ShouldContain("denied");
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(0);

        await coordinator.Client.AllowImageAsync(new Wire.JudgeImageRequest { Image = "debian-6.12", Actor = "ann" });
        await MakeDueAsync(fleet, "other", TimeSpan.FromMinutes(1));
        await FireAsync(coordinator);
        (await GetAsync(coordinator, "other")).Firings.Select(firing => firing.Outcome).ShouldBe(["Refused", "Made"]);
        Wire.ListAuditResponse audit = await coordinator.Client.ListAuditAsync(new Wire.ListAuditRequest());
        audit.Entries.Where(entry => entry.Act.StartsWith("schedule-")).Select(entry => (entry.Act, entry.Subject)).ShouldBe(
        [
            ("schedule-create", "nightly"), ("schedule-refused", "nightly"), ("schedule-create", "other"), ("schedule-refused", "other"), ("schedule-made", "other"),
        ]);
    }

    [Fact]
    public async Task What_was_missed_runs_once_within_its_limit_or_not_at_all()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "a", "b");
        foreach ((string name, string missed, string guest) in new[] { ("once", "", "a"), ("skip", "skip", "b") })
        {
            await CreateAsync(coordinator, name, $""" "guests": ["h1/{guest}"] """, missed: missed);
            await MakeDueAsync(fleet, name, TimeSpan.FromMinutes(30), days: 3);
        }

        await CreateAsync(coordinator, "late", """ "selector": "*" """);
        await MakeDueAsync(fleet, "late", TimeSpan.FromMinutes(70));
        await FireAsync(coordinator);
        (await GetAsync(coordinator, "once")).Firings.Select(firing => firing.Outcome).ShouldBe(["Missed", "Missed", "Made"]);
        (await GetAsync(coordinator, "skip")).Firings.Select(firing => firing.Outcome).ShouldBe(["Missed", "Missed", "Missed"]);
        (await GetAsync(coordinator, "late")).Firings.Single().Reason.ShouldStartWith("no coordinator looked at it until 1h1");
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(1);
    }

    [Fact]
    public async Task A_wake_up_before_the_time_makes_nothing_nor_does_a_pause_and_what_passed_meanwhile_is_left_out()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "a");
        Wire.Schedule made = await CreateAsync(coordinator, "nightly", """ "selector": "*" """);

        // The row says that it is due, as under older rules of its zone; its zone says that it is not.
        await fleet.Read(db => db.Database.ExecuteSqlAsync($"update schedules set next_fire_at = now() - interval '1 minute'"));
        await FireAsync(coordinator);
        Wire.Schedule after = await GetAsync(coordinator, "nightly");
        (after.Firings.Count, after.Next).ShouldBe((0, made.Next));

        (await ActAsync("pause")).Next.ShouldBeNull();
        (await ActAsync("pause")).Enabled.ShouldBeFalse();
        await fleet.Read(db => db.Database.ExecuteSqlAsync($"update schedules set settled_to = now() - interval '3 days'"));
        await FireAsync(coordinator);
        (await ActAsync("resume")).Next.ShouldBe(made.Next);
        await FireAsync(coordinator);
        (await GetAsync(coordinator, "nightly")).Firings.ShouldBeEmpty();
        (await coordinator.Client.ListSchedulesAsync(new Wire.ListSchedulesRequest())).Schedules.Single().Name.ShouldBe("nightly");

        await ActAsync("delete");
        (await Should.ThrowAsync<RpcException>(() => ActAsync("delete"))).StatusCode.ShouldBe(StatusCode.NotFound);
        (await coordinator.Client.ListSchedulesAsync(new Wire.ListSchedulesRequest())).Schedules.ShouldBeEmpty();
        Wire.ListAuditResponse audit = await coordinator.Client.ListAuditAsync(new Wire.ListAuditRequest());
        audit.Entries.Select(entry => (entry.Actor, entry.Act)).ShouldBe(
            [("ann", "schedule-create"), ("bob", "schedule-pause"), ("bob", "schedule-resume"), ("bob", "schedule-delete")]);

        async Task<Wire.Schedule> ActAsync(string act) =>
            await coordinator.Client.ControlScheduleAsync(new Wire.ControlScheduleRequest { Schedule = "nightly", Act = act, Actor = "bob" });
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_told_at_once_and_a_repeated_request_makes_nothing_twice()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        RpcException refusal = await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.CreateScheduleAsync(new Wire.CreateScheduleRequest
        {
            Definition = $$"""{"name": "{{new string('n', 52)}}", "image": "", "selector": "zone in", "waves": [{"percent": 101}], "fourEyes": true}""",
            When = "daily 02:00 Europe/Bonn",
            Start = true,
            Missed = "twice",
            MissedLimit = "8d",
        }));
        refusal.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        byte[] detail = refusal.Trailers.GetValueBytes("twinkernel-violations-bin")!;
        string[] fields = [.. Wire.Violations.Parser.ParseFrom(detail).Violations_.Select(violation => violation.Field)];
        fields.ShouldBe(["actor", "image", "missed", "missed_limit", "name", "selector", "start", "waves[0].percent", "when.zone"], ignoreOrder: true);
        (await Should.ThrowAsync<RpcException>(() => CreateAsync(coordinator, "past", """ "selector": "*" """, when: "2020-01-01 02:00 UTC"))).Status.Detail.ShouldContain("when: ");
        (await fleet.Read(db => db.Schedules.CountAsync())).ShouldBe(0);

        Wire.Schedule one = await CreateAsync(coordinator, "nightly", """ "selector": "*" """, when: "daily 02:00 UTC");
        (await CreateAsync(coordinator, "nightly", """ "selector":   "*" """, when: "daily 2:00 UTC")).Created.ShouldBe(one.Created);
        (await Should.ThrowAsync<RpcException>(() => CreateAsync(coordinator, "nightly", """ "selector": "*" """, when: "daily 03:00 UTC")))
            .StatusCode.ShouldBe(StatusCode.AlreadyExists);
        (await fleet.Read(db => db.Audit.CountAsync())).ShouldBe(1);
        one.RefusedNow.ShouldContain(reason => reason.Contains("debian-6.12"), "no host has told of the image yet");
    }

    private static async Task<Wire.Schedule> CreateAsync(
        CoordinatorUnderTest coordinator, string name, string definition, string when = "", bool start = false, string missed = "") =>
        await coordinator.Client.CreateScheduleAsync(new Wire.CreateScheduleRequest
        {
            Definition = $$"""{"name": "{{name}}", "image": "debian-6.12", {{definition}}}""",
            // Hours from now: the coordinator's own wake-ups find nothing.
            When = when.Length > 0 ? when : $"daily {TimeProvider.System.GetUtcNow().AddHours(3):HH:mm} UTC",
            Start = start,
            Missed = missed,
            Actor = "ann",
        });

    private static async Task<Wire.Schedule> GetAsync(CoordinatorUnderTest coordinator, string name) =>
        await coordinator.Client.GetScheduleAsync(new Wire.GetScheduleRequest { Schedule = name });

    /// <summary>Moves a schedule so that its time was so long ago, for so many days, and nobody has looked at it since.</summary>
    /// <returns>The newest of its times, in whole minutes.</returns>
    private static async Task<DateTimeOffset> MakeDueAsync(FleetUnderTest fleet, string name, TimeSpan ago, int days = 1)
    {
        long minute = TimeSpan.TicksPerMinute;
        DateTimeOffset due = new((TimeProvider.System.GetUtcNow() - ago).UtcTicks / minute * minute, TimeSpan.Zero);
        DateTimeOffset settled = due.AddDays(1 - days).AddMinutes(-1);
        string at = due.ToString("HH:mm", CultureInfo.InvariantCulture);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(fleet.ConnectionString);
        await using NpgsqlCommand update = source.CreateCommand("update schedules set at = $1, settled_to = $2, next_fire_at = $2 + interval '1 minute' where name = $3");
        update.Parameters.Add(new() { Value = at });
        update.Parameters.Add(new() { Value = settled });
        update.Parameters.Add(new() { Value = name });
        (await update.ExecuteNonQueryAsync()).ShouldBe(1);
        return due;
    }

    /// <summary>What a wake-up does, without the cluster that lets only one of them happen.</summary>
    private static async Task FireAsync(CoordinatorUnderTest coordinator) =>
        await ActivatorUtilities.CreateInstance<FireSchedules>(coordinator.App.Services).Execute(null!, CancellationToken.None);
}
