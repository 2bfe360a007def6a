using Npgsql;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Data;

public sealed class LaterSchemaTests(ServersFixture servers)
{
    [Fact]
    public async Task A_coordinator_that_runs_goes_on_when_a_later_schema_comes()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "a", "b", "c");

        // So often that what it asks is prepared.
        await coordinator.CreateRolloutAsync("before", """ "selector": "guest in (a,b)" """);
        (await coordinator.UntilAsync("before", "Completed")).Succeeded.ShouldBeTrue();
        await using (NpgsqlConnection connection = new(fleet.ConnectionString))
        {
            await connection.OpenAsync();
            foreach (string table in (string[])["upgrades", "rollouts", "guests", "outbox", "fleet_control"])
            {
                await using NpgsqlCommand later = new($"alter table {table} add column later text", connection);
                await later.ExecuteNonQueryAsync();
            }
        }

        await coordinator.CreateRolloutAsync("after", """ "selector": "guest=c" """);
        Wire.Rollout after = await coordinator.UntilAsync("after", "Completed");
        after.Members.Single().Attempt.ShouldBe(1u);
        after.Succeeded.ShouldBeTrue();
    }
}
