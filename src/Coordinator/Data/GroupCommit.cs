namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>
/// Carries out together what comes while the last group is carried out: one transaction for many, when there are many, and no waiting
/// when there is one. A group has the order in which its items came.
/// </summary>
/// <param name="most">Items in a group.</param>
/// <param name="write">Carries out a group, all of it or nothing; answers in its order.</param>
/// <param name="key">Of items with the same one only the first is in a group, the others follow in their order; null: all may be in one.</param>
/// <param name="longestRest">After a group there is a rest of three times what it took, at most this long, in which the next one gathers: for items that are in no hurry.</param>
internal sealed class GroupCommit<TItem, TResult>(
    int most, Func<IReadOnlyList<TItem>, CancellationToken, Task<IReadOnlyList<TResult>>> write, Func<TItem, object>? key = null, TimeSpan longestRest = default)
{
    private readonly Lock _lock = new();
    private readonly List<Waiting> _waiting = [];
    private bool _writing;

    private sealed record Waiting(TItem Item, TaskCompletionSource<TResult> Done);

    /// <summary>Returns when the item is carried out, or throws what hindered that. Who gives up leaves it to be carried out or not.</summary>
    public Task<TResult> AddAsync(TItem item, CancellationToken cancellation)
    {
        Waiting waiting = new(item, new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
        {
            _waiting.Add(waiting);
            if (!_writing)
            {
                _writing = true;
                _ = Task.Run(WriteAsync, CancellationToken.None);
            }
        }

        return waiting.Done.Task.WaitAsync(cancellation);
    }

    private async Task WriteAsync()
    {
        while (Next() is { Count: > 0 } group)
        {
            long began = TimeProvider.System.GetTimestamp();
            await WriteAsync(group);
            if (longestRest > TimeSpan.Zero)
            {
                await Task.Delay(TimeSpan.FromTicks(Math.Min(3 * TimeProvider.System.GetElapsedTime(began).Ticks, longestRest.Ticks)));
            }
        }
    }

    private List<Waiting> Next()
    {
        lock (_lock)
        {
            HashSet<object> keys = [];
            List<Waiting> group = [];
            _waiting.RemoveAll(one =>
            {
                bool taken = group.Count < most && (key is null || keys.Add(key(one.Item)));
                if (taken)
                {
                    group.Add(one);
                }

                return taken;
            });
            _writing = group.Count > 0;
            return group;
        }
    }

    private async Task WriteAsync(List<Waiting> group)
    {
        try
        {
            IReadOnlyList<TResult> results = await write([.. group.Select(one => one.Item)], CancellationToken.None);
            for (int at = 0; at < group.Count; at++)
            {
                group[at].Done.SetResult(results[at]);
            }
        }
#pragma warning disable CA1031 // It is for those who wait.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (group.Count == 1 || FleetTransaction.IsDatabaseTrouble(e))
            {
                group.ForEach(one => one.Done.SetException(e));
                return;
            }

            // One of them cannot be: the others must not suffer for it.
            foreach (Waiting one in group)
            {
                await WriteAsync([one]);
            }
        }
    }
}
