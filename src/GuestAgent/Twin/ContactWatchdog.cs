using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>
/// Between the cut-over and the commit, kernel B holds the machine only as long as whoever may roll it back can reach it: a kernel B that
/// runs but is deaf, or whose host's agent is gone, gives the machine back by itself. The parked kernel's own watch sees dead kernels only.
/// </summary>
public sealed partial class ContactWatchdog(ITwinKernelDevice device, TimeProvider time, ILogger<ContactWatchdog> logger) : IDisposable
{
    /// <summary>
    /// Longest time without a call, 10 s. The host's agent asks every second; it ends a machine that nobody answers in after 15 s of a roll back.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);
    private long _heard = time.GetTimestamp();
    private ITimer? _timer;

    /// <summary>A caller with the guest's token was let in.</summary>
    public void Heard() => Volatile.Write(ref _heard, time.GetTimestamp());

    /// <summary>Watches until the parent is gone or goes on.</summary>
    public void Begin()
    {
        Heard();
        _timer ??= time.CreateTimer(_ =>
        {
            if (!Look())
            {
                _timer?.Dispose();
            }
        }, null, Pace, Pace);
    }

    public void Dispose() => _timer?.Dispose();

    /// <returns>Whether to look again: the parent is still parked, and contact was not lost.</returns>
    internal bool Look()
    {
        try
        {
            if (!device.Query().HasParent)
            {
                return false;
            }

            TimeSpan silence = time.GetElapsedTime(Volatile.Read(ref _heard));
            if (silence < Patience)
            {
                return true;
            }

            Log.Lost(logger, silence.TotalSeconds);
            device.Return();
        }
        catch (DeviceException error)
        {
            Log.NoWayBack(logger, error.Message);
        }

        return false;
    }

    private static partial class Log
    {
        [LoggerMessage(310, LogLevel.Error, "probation: nobody has asked for this kernel for {Seconds:0} s; the parent shall go on")]
        public static partial void Lost(ILogger logger, double seconds);

        [LoggerMessage(311, LogLevel.Critical, "probation: contact was lost, and the parent cannot go on either: {Message}")]
        public static partial void NoWayBack(ILogger logger, string message);
    }
}
