using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>Plans rollouts. Every selected guest is in exactly one wave, blocked or not.</summary>
public static class WavePlanner
{
    /// <summary>
    /// The canary takes its guests first. A wave by label takes all that match; two waves that match one guest overlap, an error. Waves by
    /// count or percent take from what no label claims, first those that nothing blocks, then by host and name. What no wave takes is a
    /// last wave, <c>rest</c>, under the rules of the one before it.
    /// </summary>
    public static PlanResult Plan(RolloutForm form, FleetSnapshot fleet, Instant now) => throw new NotImplementedException();
}
