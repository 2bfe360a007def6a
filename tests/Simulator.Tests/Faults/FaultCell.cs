using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>What strikes a fleet.</summary>
public enum Fault
{
    /// <summary>One of two coordinators is killed, and started again.</summary>
    KillCoordinator = 1,

    /// <summary>Both.</summary>
    KillCoordinators = 2,

    /// <summary>The agents of all hosts are killed. Their guests run on, their journals are kept.</summary>
    KillAgents = 3,
    KillBroker = 4,
    KillPostgres = 5,

    /// <summary>Between one coordinator and the broker nothing comes through.</summary>
    CutCoordinatorBroker = 6,
    CutAgentsBroker = 7,

    /// <summary>Between one coordinator and PostgreSQL nothing comes through.</summary>
    CutCoordinatorPostgres = 8,
}

/// <summary>One place of the matrix: while a guest is in <paramref name="Step"/>, <paramref name="Fault"/> strikes.</summary>
internal sealed record FaultCell(UpgradeStep Step, Fault Fault)
{
    /// <summary>Which cells are played: names with blanks between, or <c>all</c>; absent: the short form.</summary>
    public const string Variable = "TWIN_FAULT_CELLS";

    /// <summary>Every fault that strikes at once what has most to lose there.</summary>
    private const string Short = "Standby:KillCoordinators Commit:KillAgents Load:KillBroker CutOver:KillPostgres RollBack:CutCoordinatorPostgres";

    public static IEnumerable<FaultCell> Wanted => (Environment.GetEnvironmentVariable(Variable) ?? Short) is var names && names.Trim() == "all"
        ? All : names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse);

    private static IEnumerable<FaultCell> All =>
        Enum.GetValues<Fault>().SelectMany(fault => Enum.GetValues<UpgradeStep>().Select(step => new FaultCell(step, fault)));

    /// <exception cref="ArgumentException">There is no such cell.</exception>
    public static FaultCell Parse(string name) =>
        All.FirstOrDefault(cell => cell.ToString() == name) ?? throw new ArgumentException($"There is no cell '{name}' in the fault matrix.");

    public override string ToString() => $"{Step}:{Fault}";
}
