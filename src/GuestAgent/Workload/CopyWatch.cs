using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// In kernel A, as long as writes of its services wait for kernel B's copies: a copy that is gone, or has not moved for <see cref="Patience"/> though it is behind, holds
/// up nothing any more. So no other agent, no kernel B and no step is needed for writes to go on. The cut-over couples anew, or fails.
/// </summary>
public sealed partial class CopyWatch(ILogger<CopyWatch> logger)
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);
    private readonly Lock _lock = new();
    private IReadOnlyList<(IReplicatedService Service, ICoupling Coupling)> _coupled = [];
    private CancellationTokenSource _ended = new();
    private Thread? _thread;

    /// <summary>From now until <see cref="End"/>. What was watched before is not any more.</summary>
    internal void Begin(IReadOnlyList<(IReplicatedService Service, ICoupling Coupling)> coupled) => Start(
        ended =>
        {
            List<Watched> watched = [.. coupled.Select(each => new Watched(each.Service, each.Coupling))];
            while (watched.Count > 0 && !ended.WaitHandle.WaitOne(Look))
            {
                watched.RemoveAll(each => each.HasStalled() is { } reason && LetGo(each.Service, reason));
            }
        },
        coupled);

    /// <summary>Watches no more, and has one service hold its writes over the connection that was watched or prepared; where that is not there any more, over a new one.</summary>
    /// <inheritdoc cref="IWriteHold.Hold" path="/returns"/>
    /// <exception cref="IOException">The service does not do it.</exception>
    internal long Hold(IReplicatedService service, IWriteHold? prepared)
    {
        Pause();
        if (_coupled.FirstOrDefault(each => each.Service.Name == service.Name).Coupling is { } coupling)
        {
            prepared = coupling;
        }

        if (prepared is not null)
        {
            try
            {
                return prepared.Hold();
            }
            catch (IOException)
            {
                // As when it was never connected.
            }
        }

        return service.Hold();
    }

    /// <summary>Lets writes go, again and again until each service has taken it in, or until <see cref="End"/>.</summary>
    /// <param name="reason">For the log.</param>
    internal void Release(IReadOnlyList<IReplicatedService> services, string reason) => Start(ended =>
    {
        List<IReplicatedService> left = [.. services];
        do
        {
            left.RemoveAll(service => LetGo(service, reason));
        }
        while (left.Count > 0 && !ended.WaitHandle.WaitOne(Look));
    });

    /// <summary>Returns when no writes are let go from here any more, and the connections are closed. Idempotent.</summary>
    internal void End()
    {
        lock (_lock)
        {
            Pause();
            foreach ((_, ICoupling coupling) in _coupled)
            {
                coupling.Dispose();
            }

            _coupled = [];
        }
    }

    private void Pause()
    {
        lock (_lock)
        {
            _ended.Cancel();
            _thread?.Join();
            _thread = null;
        }
    }

    private void Start(Action<CancellationToken> watch, IReadOnlyList<(IReplicatedService Service, ICoupling Coupling)>? coupled = null)
    {
        lock (_lock)
        {
            End();
            _coupled = coupled ?? [];
            _ended = new CancellationTokenSource();
            CancellationToken ended = _ended.Token;
            _thread = new Thread(() => watch(ended)) { IsBackground = true, Name = "copy watch" };
            _thread.Start();
        }
    }

    private bool LetGo(IReplicatedService service, string reason)
    {
        try
        {
            service.LetGo();
            Log.LetGo(logger, service.Name, reason);
            return true;
        }
        catch (IOException)
        {
            // Not there at the moment: it is asked again.
            return false;
        }
    }

    private sealed class Watched(IReplicatedService service, ICoupling coupling)
    {
        private long _mark = -1;
        private long _copied = -1;
        private long _since = Stopwatch.GetTimestamp();

        public IReplicatedService Service => service;

        /// <summary>Null: it has all that was written when it was looked at last, or has moved since.</summary>
        public string? HasStalled()
        {
            string reason = $"its copy has not moved for {Patience.TotalSeconds:0} s";
            try
            {
                (long written, long copied) = coupling.Progress();
                if (copied >= _mark || copied > _copied)
                {
                    (_mark, _copied, _since) = (written, copied, Stopwatch.GetTimestamp());
                }
            }
            catch (IOException error)
            {
                reason = error.Message;
            }

            return Stopwatch.GetElapsedTime(_since) > Patience ? reason : null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(510, LogLevel.Warning, "service {Name}: writes wait for no copy any more: {Reason}")]
        public static partial void LetGo(ILogger logger, string name, string reason);
    }
}
