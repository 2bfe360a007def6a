using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Scenarios;

/// <summary>What becomes of one try of a step.</summary>
/// <param name="Latency">In the scenario's time.</param>
/// <param name="Failure"><see cref="UpgradeFailure.None"/>: it succeeds.</param>
internal sealed record StepDecision(TimeSpan Latency, UpgradeFailure Failure);

/// <summary>
/// Everything that chance decides. A decision depends on the seed and on what is decided, never on what was decided before it, so
/// that neither the order of messages nor a redelivery changes it.
/// </summary>
internal sealed class Decisions(Scenario scenario)
{
    /// <param name="host">The host.</param>
    /// <param name="guest">Its guest.</param>
    /// <param name="epoch">Which upgrade of the guest.</param>
    /// <param name="step">The step.</param>
    /// <param name="attempt">Which try of the step in this upgrade, from 1.</param>
    public StepDecision Of(string host, string guest, long epoch, UpgradeStep step, int attempt)
    {
        StepBehaviour behaviour = scenario.Steps[step];
        string what = $"{host}/{guest}/{epoch}/{step}/{attempt}";
        double left = Uniform($"fault/{what}");
        foreach (StepFault fault in behaviour.Faults)
        {
            left -= fault.Probability;
            if (left < 0)
            {
                return new StepDecision(behaviour.Latency.At(Normal($"latency/{what}")), fault.Kind);
            }
        }

        return new StepDecision(behaviour.Latency.At(Normal($"latency/{what}")), UpgradeFailure.None);
    }

    /// <summary>The longest gap of an upgrade's cut-over.</summary>
    public TimeSpan Outage(string host, string guest, long epoch) => scenario.Outage.At(Normal($"outage/{host}/{guest}/{epoch}"));

    /// <summary>When in its first interval a host beats first: 0 to 1, so that they do not all beat at once.</summary>
    public double Phase(string host) => Uniform($"phase/{host}");

    /// <param name="kind">Apart from each other, silences and restarts.</param>
    /// <param name="number">Which of the scenario's list.</param>
    /// <param name="what">The interruption.</param>
    /// <param name="group">The host's group.</param>
    /// <param name="host">The host.</param>
    public bool Concerns(string kind, int number, Interruption what, string group, string host) =>
        (what.Group is null || what.Group == group) && Uniform($"{kind}/{number}/{host}") < what.Share;

    private double Normal(string what) =>
        Math.Sqrt(-2 * Math.Log(1 - Uniform($"{what}/radius"))) * Math.Cos(2 * Math.PI * Uniform($"{what}/angle"));

    /// <summary>From 0, less than 1.</summary>
    private double Uniform(string what)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{scenario.Seed}/{what}"), hash);
        return (BinaryPrimitives.ReadUInt64LittleEndian(hash) >> 11) * (1.0 / (1UL << 53));
    }
}
