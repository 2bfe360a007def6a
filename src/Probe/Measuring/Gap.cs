namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>A time without an answer. Nanoseconds since the run's start.</summary>
/// <param name="From">The arrival of the answer before it; the start when there was none.</param>
/// <param name="To">The arrival of the answer after it; when none came, when the last request was due.</param>
/// <param name="OwnLateness">The most that a request which the probe sent in this gap was late because of the probe.</param>
/// <param name="Open">No answer came after it.</param>
internal readonly record struct Gap(long From, long To, long OwnLateness, bool Open)
{
    public long Length => To - From;
}
