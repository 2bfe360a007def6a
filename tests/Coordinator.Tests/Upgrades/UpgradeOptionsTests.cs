using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Tests.Upgrades;

public sealed class UpgradeOptionsTests
{
    [Fact]
    public void Defaults_are_valid()
    {
        new UpgradeOptionsValidator().Validate(null, new UpgradeOptions()).Succeeded.ShouldBeTrue();
        new DeliveryOptionsValidator().Validate(null, new DeliveryOptions()).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public void All_errors_come_at_once_with_both_values()
    {
        UpgradeOptions options = new()
        {
            AcceptWithin = TimeSpan.FromSeconds(3),
            Grace = TimeSpan.FromSeconds(4),
            CommitAttempts = 0,
            Deadlines = new StepDeadlines { Boot = TimeSpan.Zero, RollBack = TimeSpan.FromDays(2) },
        };
        string[] errors = [.. new UpgradeOptionsValidator().Validate(null, options).Failures!];
        errors.Length.ShouldBe(4);
        errors.ShouldContain("Upgrades:Grace (00:00:04) must be shorter than Upgrades:AcceptWithin (00:00:03).");
        errors.ShouldContain(error => error.StartsWith("Upgrades:Deadlines:Boot (00:00:00) must be between"));
        errors.ShouldContain(error => error.StartsWith("Upgrades:Deadlines:RollBack (2.00:00:00) must be between"));
        errors.ShouldContain("Upgrades:CommitAttempts (0) must be between 1 and 100.");
    }

    [Fact]
    public void Delivery_names_each_value_out_of_range() =>
        new DeliveryOptionsValidator().Validate(null, new DeliveryOptions
        {
            BatchSize = 0,
            CatchUp = TimeSpan.FromHours(1),
        }).Failures!.Count().ShouldBe(2);
}
