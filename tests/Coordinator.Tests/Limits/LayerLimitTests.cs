using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Tests.Limits;

public sealed class LayerLimitTests
{
    [Fact]
    public void Should_read_what_it_writes()
    {
        LayerLimit[] limits =
        [
            new() { Layer = LimitLayer.Fleet, MaxConcurrent = Amount.Percent(10) },
            new() { Layer = LimitLayer.Zone, MinHealthyPercent = 90 },
            new() { Layer = LimitLayer.Host, Name = "h1", MaxConcurrent = Amount.Count(2), MinHealthyPercent = 50 },
        ];
        List<Violation> violations = [];
        limits.Select((limit, at) => LimitForm.Of(limit).Read($"limits[{at}]", violations)).ToArray().ShouldBe(limits);
        violations.ShouldBeEmpty();
        limits.Select(limit => limit.ToString()).ShouldBe([
            "fleet: at most 10% at once", "each zone: at least 90% healthy", "host h1: at most 2 at once, at least 50% healthy"]);
    }

    [Fact]
    public void Should_tell_all_errors_with_their_paths()
    {
        List<Violation> violations = [];
        LimitForm[] forms =
        [
            new() { Layer = "galaxy", MaxConcurrent = "many", MinHealthyPercent = 100 },
            new() { Layer = "fleet", Name = "mine", MaxConcurrent = "1" },
            new() { Layer = "rack" },
            new() { MinHealthyPercent = -1 },
        ];
        forms.Select((form, at) => form.Read($"limits[{at}]", violations)).ToArray().ShouldAllBe(limit => limit == null);
        violations.Select(one => one.Field).ShouldBe([
            "limits[0].layer", "limits[0].maxConcurrent", "limits[0].minHealthyPercent", "limits[1].name", "limits[2]",
            "limits[3].layer", "limits[3].minHealthyPercent",
        ]);
    }
}
