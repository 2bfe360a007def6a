// Every test boots a virtual machine: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(TwinKernel.Fleet.Kernel.Tests.ModulesFixture))]

namespace TwinKernel.Fleet.Kernel.Tests;

/// <summary>
/// twinkernel.ko in virtual machines, through kernel/selftests/run.sh: it plays one scenario and fails when a check of either
/// kernel fails or either console shows a warning, a lockup or a stall. Kernels are those that images/fetch unpacked.
/// </summary>
public sealed class SelfTests(ModulesFixture modules)
{
    [Theory]
    [InlineData("handover")]
    [InlineData("panic")]
    [InlineData("silent")]
    [InlineData("return")]
    [InlineData("scribble")]
    [InlineData("failover")]
    [InlineData("stop")]
    [InlineData("transfer")]
    [InlineData("four")]
    [InlineData("eight")]
    [InlineData("errors")]
    [InlineData("chain")]
    [InlineData("cancels")]
    [InlineData("several")]
    [InlineData("fuzz")]
    [InlineData("console")]
    [InlineData("lines")]
    [InlineData("inspect")]
    [InlineData("kexec_launch")]
    [InlineData("reserved")]
    [InlineData("unprepared")]
    [InlineData("numa")]
    [InlineData("link")]
    [InlineData("linkfuzz")]
    public async Task Scenario_passes_with_6_1_as_A_and_6_12_as_B(string scenario) => await modules.PlayAsync(scenario, "debian-6.1", "debian-6.12");
}
