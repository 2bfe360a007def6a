using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// Kernel B's services acknowledge writes although kernel A may still take the machine back: no packet leaves before the journals hold all that was
/// executed when it was queued. On a thread of its own, from the promotion to the commit.
/// <para>
/// Whatever fails, a service or a journal, begins anew with writes held, packets as well unless all that was executed is journalled. It ends
/// there when a journal is nearly full: writes wait for the commit, and reads go on.
/// </para>
/// </summary>
/// <param name="open">Connects to every service; or fails. What it did ahead of the gap is not done again.</param>
/// <param name="plugs">On all ways out of the machine.</param>
internal sealed partial class JournalledProbation(Func<IReadOnlyList<JournalledRedis>> open, IReadOnlyList<OutputPlug> plugs, ILogger logger) : IDisposable
{
    /// <summary>
    /// Between two batches, at least; twice as long as the batch before took when that is longer, so that services have most of a processor that all share.
    /// What it adds to an answer is this and a half of it, and what it takes to ask the services.
    /// </summary>
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(5);
    private readonly ManualResetEventSlim _end = new();
    private Thread? _thread;

    /// <summary>The first time around writes are held since the promotion, and nothing waits: the services need not be asked for that once more inside the gap.</summary>
    private bool _held = plugs.All(plug => plug.IsNew);

    /// <summary>What fails behind this begins anew at once: the service keeps a limited amount of what follows.</summary>
    private bool _worked;

    /// <summary>Returns at once.</summary>
    public void Begin()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "journal" };
        _thread.Start();
    }

    /// <summary>There is no way back any more, or no need of one: nothing waits any longer. Writes are let go by who had them held.</summary>
    /// <exception cref="IOException">The kernel does not let packets go.</exception>
    public void End()
    {
        _end.Set();
        if (_thread?.Join(EndPatience) == false)
        {
            throw new IOException($"the journal's thread did not end within {EndPatience.TotalSeconds:0} s");
        }

        foreach (OutputPlug plug in plugs)
        {
            plug.Open();
        }
    }

    public void Dispose()
    {
        foreach (OutputPlug plug in plugs)
        {
            plug.Dispose();
        }

        _end.Dispose();
    }

    private void Run()
    {
        // What it does is short, and every answer waits for it.
        using Urgency urgency = new();
        bool told = false;
        do
        {
            try
            {
                Journal();
                return;
            }
            catch (Exception error)
            {
                if (!told)
                {
                    Log.Held(logger, error.Message);
                }

                told = true;
            }
        }
        while (!_end.Wait(_worked ? TimeSpan.Zero : Pause));
    }

    /// <summary>Until it shall end, or a journal is nearly full.</summary>
    private void Journal()
    {
        _worked = false;
        IReadOnlyList<JournalledRedis> services = open();
        try
        {
            Each(services, service => service.Begin());
            while (true)
            {
                if (_held)
                {
                    _held = false;
                }
                else
                {
                    Each(services, service => service.Hold());
                    Each(plugs, plug => plug.Open());
                    if (services.Any(service => service.IsNearlyFull))
                    {
                        Log.Full(logger);
                        return;
                    }

                    // What was let go has left before what follows is counted.
                    _end.Wait(Batch);
                }

                Each(plugs, plug => plug.Buffer());
                Each(services, service => service.LetGo());
                Log.Works(logger);
                _worked = true;
                TimeSpan rest = Batch;
                while (!services.Any(service => service.IsNearlyFull))
                {
                    if (_end.Wait(rest))
                    {
                        return;
                    }

                    long began = Stopwatch.GetTimestamp();
                    Each(plugs, plug => plug.Buffer());
                    Each(services, service => service.CatchUp());
                    Each(plugs, plug => plug.ReleaseOne());
                    TimeSpan took = Stopwatch.GetElapsedTime(began);
                    rest = 2 * took > Batch ? 2 * took : Batch;
                }
            }
        }
        finally
        {
            Each(services, service => service.Dispose());
        }
    }

    private static void Each<T>(IReadOnlyList<T> all, Action<T> action)
    {
        foreach (T each in all)
        {
            action(each);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(520, LogLevel.Error, "journal: writes wait, and answers, until it works: {Message}")]
        public static partial void Held(ILogger logger, string message);

        [LoggerMessage(525, LogLevel.Information, "journal: writes are acknowledged in the probation")]
        public static partial void Works(ILogger logger);

        [LoggerMessage(521, LogLevel.Warning, "journal: nearly full; writes wait for the commit")]
        public static partial void Full(ILogger logger);
    }
}
