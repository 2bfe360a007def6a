using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Selection;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>What becomes of upgrades that run when the window closes.</summary>
public enum WindowClosePolicy
{
    Finish = 1,

    /// <summary>What has not committed goes back to kernel A, and is tried again in the next window.</summary>
    RollBack = 2,
}

/// <summary>What becomes of guests whose host is offline when their turn comes.</summary>
public enum OfflinePolicy
{
    /// <summary>The wave ends without them; they count neither as failed nor as done.</summary>
    Skip = 1,

    /// <summary>The wave waits for them.</summary>
    Wait = 2,

    /// <summary>They count as failed.</summary>
    Fail = 3,
}

/// <summary>Who begins the next wave.</summary>
public enum Promotion
{
    /// <summary>The settle time's end, when all gates passed.</summary>
    Automatic = 1,

    /// <summary>A person, after that.</summary>
    Manual = 2,
}

/// <summary>Which guests a wave takes.</summary>
public abstract record WaveSize
{
    private WaveSize()
    {
    }

    /// <summary>So many of those that no wave with a label takes.</summary>
    public sealed record Count(int Guests) : WaveSize;

    /// <summary>So many percent of all selected guests, rounded down but at least 1, of those that no wave with a label takes.</summary>
    public sealed record Percent(int Value) : WaveSize;

    /// <summary>All that match and are not in the canary.</summary>
    public sealed record Label(LabelSelector Selector) : WaveSize;

    /// <summary>All that are left.</summary>
    public sealed record Rest : WaveSize;
}

/// <summary>How a wave is made and run.</summary>
public sealed record WaveRule
{
    public static readonly Duration LongestSettle = Duration.FromDays(30);

    /// <summary>For people; <c>canary</c>, <c>wave 1</c>, <c>wave 2</c>, ... when none was given, <c>rest</c> for what no wave takes.</summary>
    public required string Name { get; init; }
    public required WaveSize Size { get; init; }

    /// <summary>From the end of its last upgrade until its gates are asked.</summary>
    public Duration Settle { get; init; } = Duration.Zero;
    public Promotion Promotion { get; init; } = Promotion.Automatic;

    /// <summary>The most upgrades of the wave at once; null: what the other limits allow.</summary>
    public Amount? MaxConcurrent { get; init; }
    public IReadOnlyList<GateSpec> Gates { get; init; } = [];
    public ErrorPolicy Errors { get; init; } = ErrorPolicy.Default;
}

/// <summary>A rollout as it was asked for, read and checked by itself; what the fleet has to say of it, the planner knows.</summary>
public sealed record RolloutSpec
{
    /// <summary>Null: only <see cref="Guests"/>.</summary>
    public LabelSelector? Selector { get; init; }
    public IReadOnlyList<GuestId> Guests { get; init; } = [];
    public WaveRule? Canary { get; init; }
    public IReadOnlyList<WaveRule> Waves { get; init; } = [];
    public IReadOnlyList<MaintenanceWindow> Windows { get; init; } = [];
    public IReadOnlyList<string> Calendars { get; init; } = [];
    public WindowClosePolicy OnWindowClose { get; init; } = WindowClosePolicy.Finish;
    public IReadOnlyList<LayerLimit> Limits { get; init; } = [];
    public UpgradeStrategy Strategy { get; init; } = UpgradeStrategy.Twin;
    public OfflinePolicy Offline { get; init; } = OfflinePolicy.Wait;

    /// <summary>Only an image that has been proven; a canary of a new image does without.</summary>
    public bool RequireProven { get; init; }

    /// <summary>A kernel older than the running one is meant, such as when an upgrade is undone.</summary>
    public bool AllowDowngrade { get; init; }
}
