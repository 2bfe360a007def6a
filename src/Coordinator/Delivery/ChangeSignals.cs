using System.Collections.Concurrent;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>
/// Wakes those who wait for a change in the database. A signal is only a hint to look again: one that is lost costs the
/// waiter's own interval, one too many costs a look.
/// </summary>
public sealed class ChangeSignals
{
    private readonly ConcurrentDictionary<Guid, Watched> _watched = new();
    private readonly SemaphoreSlim _outbox = new(0, 1);
    private readonly SemaphoreSlim _rollouts = new(0, 1);

    public void OutboxHasWork() => Wake(_outbox);

    public void RolloutsHaveWork() => Wake(_rollouts);

    private static void Wake(SemaphoreSlim waiter)
    {
        try
        {
            waiter.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake already.
        }
    }

    /// <summary>Returns when there may be work, after <paramref name="interval"/> at the latest.</summary>
    public Task WaitForOutboxAsync(TimeSpan interval, CancellationToken cancellation) =>
        _outbox.WaitAsync(interval, cancellation);

    /// <inheritdoc cref="WaitForOutboxAsync"/>
    public Task WaitForRolloutsAsync(TimeSpan interval, CancellationToken cancellation) =>
        _rollouts.WaitAsync(interval, cancellation);

    /// <summary>An upgrade or a rollout has changed.</summary>
    public void Changed(Guid id)
    {
        if (_watched.TryGetValue(id, out Watched? watched))
        {
            watched.Signal();
        }
    }

    /// <summary>Notifications may have been missed: everybody looks again.</summary>
    public void EverythingMayHaveChanged()
    {
        OutboxHasWork();
        RolloutsHaveWork();
        foreach (Watched watched in _watched.Values)
        {
            watched.Signal();
        }
    }

    /// <summary>Begins to watch; changes from now on are not missed.</summary>
    public Watch WatchFor(Guid id)
    {
        while (true)
        {
            Watched watched = _watched.GetOrAdd(id, static _ => new Watched());
            if (watched.TryJoin())
            {
                return new Watch(this, id, watched);
            }
        }
    }

    /// <summary>One watcher's subscription.</summary>
    public sealed class Watch : IDisposable
    {
        private readonly ChangeSignals _signals;
        private readonly Guid _id;
        private readonly Watched _watched;
        private Task _next;

        internal Watch(ChangeSignals signals, Guid id, Watched watched)
        {
            _signals = signals;
            _id = id;
            _watched = watched;
            _next = watched.Next;
        }

        /// <summary>Returns after a change since the last call, after <paramref name="interval"/> at the latest.</summary>
        public async Task WaitAsync(TimeSpan interval, TimeProvider time, CancellationToken cancellation)
        {
            try
            {
                await _next.WaitAsync(interval, time, cancellation);
            }
            catch (TimeoutException)
            {
                // The interval is over; look anyway.
            }

            _next = _watched.Next;
        }

        public void Dispose()
        {
            if (_watched.LeaveWasLast())
            {
                _signals._watched.TryRemove(new KeyValuePair<Guid, Watched>(_id, _watched));
            }
        }
    }

    internal sealed class Watched
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _watchers;
        private bool _closed;

        public Task Next
        {
            get
            {
                lock (_lock)
                {
                    return _next.Task;
                }
            }
        }

        public bool TryJoin()
        {
            lock (_lock)
            {
                _watchers += _closed ? 0 : 1;
                return !_closed;
            }
        }

        public bool LeaveWasLast()
        {
            lock (_lock)
            {
                _closed = --_watchers == 0;
                return _closed;
            }
        }

        public void Signal()
        {
            TaskCompletionSource fired;
            lock (_lock)
            {
                fired = _next;
                _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            fired.SetResult();
        }
    }
}
