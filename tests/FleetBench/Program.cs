using System.Globalization;
using System.Text.Json;
using TwinKernel.Fleet.FleetBench;
using TwinKernel.Fleet.Tests.Servers;

// eng/bench-fleet: DIRECTORY IDLE-HOSTS MINUTES SIZE...
const int MostOnHost = 10;
string directory = args[0];
int idleHosts = int.Parse(args[1], CultureInfo.InvariantCulture);
TimeSpan atMost = TimeSpan.FromMinutes(int.Parse(args[2], CultureInfo.InvariantCulture));
JsonSerializerOptions form = new(JsonSerializerDefaults.Web) { WriteIndented = true };
List<RolloutFigures> rollouts = [];
IdleFigures? idle = null;

await using PrivateServers servers = await PrivateServers.StartAsync();
foreach (int size in args[3..].Select(size => int.Parse(size, CultureInfo.InvariantCulture)))
{
    await Console.Error.WriteLineAsync($"A rollout over {size} guests");
    await using FleetRun run = await FleetRun.StartAsync(servers, size / MostOnHost, MostOnHost, Path.Combine(directory, $"coordinator-{size}.log"));
    rollouts.Add(await run.RollOutAsync(servers, atMost));
    await Console.Error.WriteLineAsync(JsonSerializer.Serialize(rollouts[^1], form));
}

if (idleHosts > 0)
{
    await Console.Error.WriteLineAsync($"{idleHosts} hosts that only beat");
    await using FleetRun run = await FleetRun.StartAsync(servers, idleHosts, 1, Path.Combine(directory, "coordinator-idle.log"));
    idle = await run.IdleAsync(TimeSpan.FromSeconds(30));
}

await File.WriteAllTextAsync(Path.Combine(directory, "result.json"), JsonSerializer.Serialize(new { rollouts, idle }, form));
Console.WriteLine("| | " + string.Join(" | ", rollouts.Select(one => $"{one.Guests:N0} guests")) + " |");
Console.WriteLine("|---|" + string.Concat(rollouts.Select(_ => "---|")));
Row("upgraded", one => one.Upgraded, "N0");
Row("upgrades per second", one => one.UpgradesPerSecond, "0.0");
Row("the whole rollout, s", one => one.Seconds, "0.0");
Row("bare RabbitMQ, s", one => one.FloorBrokerSeconds, "0.00");
Row("bare PostgreSQL, s", one => one.FloorPostgresSeconds, "0.00");
Row("times that floor", one => one.Ratio, "0.0");
Row("from the start to the first command, ms", one => one.FirstCommandMs, "0");
Row("coordinator, ms of CPU per upgrade", one => one.CoordinatorCpuMsPerUpgrade, "0.0");
Row("coordinator, peak of memory, MiB", one => one.CoordinatorPeakMiB, "0");
Row("PostgreSQL, ms of CPU per upgrade", one => one.PostgresCpuMsPerUpgrade, "0.0");
Row("transactions per upgrade", one => one.CommitsPerUpgrade, "0.0");
Row("rows written per upgrade", one => one.RowsWrittenPerUpgrade, "0.0");
Row("rows fetched per upgrade", one => one.RowsReadPerUpgrade, "0.0");
Row("messages per upgrade", one => one.MessagesPerUpgrade, "0.0");

if (idle is not null)
{
    Console.WriteLine();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{idle.Hosts:N0} idle hosts that beat every {idle.HeartbeatSeconds:0} s by themselves ({idle.BeatsPerSecond:0} heartbeats a second at the pace they were told): coordinator {idle.CoordinatorCpuPercent:0} % of one core and {idle.CoordinatorPeakMiB:0} MiB, PostgreSQL {idle.PostgresCpuPercent:0} %."));
}

void Row(string what, Func<RolloutFigures, double> figure, string format) =>
    Console.WriteLine($"| {what} | {string.Join(" | ", rollouts.Select(one => figure(one).ToString(format, CultureInfo.InvariantCulture)))} |");
