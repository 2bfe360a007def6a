using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>When something may start.</summary>
/// <param name="Now">It may start now.</param>
/// <param name="StartAt">The earliest instant, not before the one asked about, at which it fits; null: never within the horizon.</param>
/// <param name="ClosesAt">When the opening of <paramref name="StartAt"/> closes; null when it does not within the horizon, or nothing fits.</param>
/// <param name="Why">One sentence for the person who asks why it waits; empty when it may start now.</param>
public sealed record WindowFit(bool Now, Instant? StartAt, Instant? ClosesAt, string Why);
