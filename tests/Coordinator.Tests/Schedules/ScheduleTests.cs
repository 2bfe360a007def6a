using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Quartz;
using TwinKernel.Fleet.Coordinator.Schedules;
using TwinKernel.Fleet.Coordinator.Tests.Harness;

namespace TwinKernel.Fleet.Coordinator.Tests.Schedules;

public sealed class ScheduleTests(ServersFixture servers)
{
    [Fact]
    public async Task The_nightly_purge_is_scheduled_once_for_all_coordinators_and_forgets_what_is_old()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "web");
        for (int number = 0; number < 2; number++)
        {
            await coordinator.WatchAsync((await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id);
        }

        await using NpgsqlDataSource source = NpgsqlDataSource.Create(fleet.ConnectionString);
        await Eventually.Get(() => Number("select count(*) from qrtz_scheduler_state"), count => count == 2, "both nodes of the cluster are in");
        (await Number("select count(*) from qrtz_cron_triggers where cron_expression = '0 17 3 * * ?'")).ShouldBe(1);
        (await Number("select count(*) from qrtz_triggers where next_fire_time is not null")).ShouldBe(2);

        // The older upgrade's rows are from before the time that is kept.
        string older = await Text("select id::text from upgrades order by created_at limit 1");
        await Run($"update outbox set sent_at = sent_at - interval '31 days' where upgrade_id = '{older}'");
        await Run($"update inbox set received_at = received_at - interval '31 days' where upgrade_id = '{older}'");
        IScheduler scheduler = await coordinator.App.Services.GetRequiredService<ISchedulerFactory>().GetScheduler();
        await scheduler.TriggerJob(PurgeDelivered.Key);

        await Eventually.Get(() => fleet.Read(db => db.Outbox.CountAsync(message => message.UpgradeId == Guid.Parse(older))),
            count => count == 0, "old commands are gone");
        await Eventually.Get(() => fleet.Read(db => db.Inbox.CountAsync(message => message.UpgradeId == Guid.Parse(older))),
            count => count == 0, "old messages are gone");
        (await fleet.Read(db => db.Outbox.CountAsync())).ShouldBe(9);
        (await fleet.Read(db => db.Inbox.CountAsync())).ShouldBe(18);

        async Task<long> Number(string sql)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            return (long)(await command.ExecuteScalarAsync())!;
        }

        async Task<string> Text(string sql)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            return (string)(await command.ExecuteScalarAsync())!;
        }

        async Task Run(string sql)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }
}
