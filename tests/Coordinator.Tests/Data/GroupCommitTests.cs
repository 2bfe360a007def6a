using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Tests.Data;

public sealed class GroupCommitTests
{
    private readonly List<string[]> _groups = [];
    private readonly SemaphoreSlim _go = new(0);

    /// <summary>Items are a key and a number; one that ends with a <c>!</c> cannot be carried out.</summary>
    private GroupCommit<string, string> Group(int most = 10, bool keyed = true) => new(most, async (items, _) =>
    {
        lock (_groups)
        {
            _groups.Add([.. items]);
        }

        await _go.WaitAsync();
        return items.FirstOrDefault(item => item.EndsWith('!')) is { } wrong
            ? throw new InvalidOperationException(wrong)
            : [.. items.Select(item => $"{item} done")];
    }, keyed ? item => item[0] : null);

    [Fact]
    public async Task What_comes_meanwhile_is_carried_out_together_but_for_what_has_the_same_key()
    {
        GroupCommit<string, string> group = Group();
        Task<string> first = group.AddAsync("a1", default);
        await UntilAsync(1);
        Task<string>[] others = [.. new[] { "b1", "a2", "a3", "b2", "c1" }.Select(item => group.AddAsync(item, default))];
        _go.Release(10);
        (await first).ShouldBe("a1 done");
        (await Task.WhenAll(others)).ShouldBe(["b1 done", "a2 done", "a3 done", "b2 done", "c1 done"]);
        _groups.ShouldBe([["a1"], ["b1", "a2", "c1"], ["a3", "b2"]]);
        (await group.AddAsync("d1", default)).ShouldBe("d1 done", "and again after a pause");
    }

    [Fact]
    public async Task Without_keys_all_that_came_meanwhile_is_one_group_in_its_order()
    {
        GroupCommit<string, string> group = Group(keyed: false);
        Task<string> first = group.AddAsync("a1", default);
        await UntilAsync(1);
        Task<string>[] others = [.. new[] { "b1", "a2", "a3", "b2" }.Select(item => group.AddAsync(item, default))];
        _go.Release(10);
        await first;
        (await Task.WhenAll(others)).ShouldBe(["b1 done", "a2 done", "a3 done", "b2 done"]);
        _groups.ShouldBe([["a1"], ["b1", "a2", "a3", "b2"]]);
    }

    [Fact]
    public async Task What_is_in_no_hurry_gathers_after_each_group()
    {
        List<int> sizes = [];
        GroupCommit<int, int> group = new(10, async (items, _) =>
        {
            sizes.Add(items.Count);
            await Task.Delay(20);
            return items;
        }, longestRest: TimeSpan.FromMilliseconds(200));
        await group.AddAsync(1, default);
        await Task.WhenAll(group.AddAsync(2, default), group.AddAsync(3, default), group.AddAsync(4, default));
        sizes.ShouldBe([1, 3]);
    }

    [Fact]
    public async Task A_group_has_no_more_than_it_may_have()
    {
        GroupCommit<string, string> group = Group(most: 2);
        Task<string> first = group.AddAsync("a1", default);
        await UntilAsync(1);
        Task<string>[] others = [.. new[] { "b1", "c1", "d1" }.Select(item => group.AddAsync(item, default))];
        _go.Release(10);
        await Task.WhenAll(others);
        _groups.ShouldBe([["a1"], ["b1", "c1"], ["d1"]]);
    }

    [Fact]
    public async Task One_that_cannot_be_does_not_hinder_the_others()
    {
        GroupCommit<string, string> group = Group();
        Task<string> first = group.AddAsync("a1", default);
        await UntilAsync(1);
        Task<string> good = group.AddAsync("b1", default);
        Task<string> bad = group.AddAsync("c1!", default);
        _go.Release(10);
        (await first).ShouldBe("a1 done");
        (await good).ShouldBe("b1 done");
        (await Should.ThrowAsync<InvalidOperationException>(() => bad)).Message.ShouldBe("c1!");
    }

    [Fact]
    public async Task When_the_database_is_away_all_of_a_group_hear_of_it_and_who_gives_up_waits_no_longer()
    {
        GroupCommit<string, string> group = new(10, async (_, _) =>
        {
            await _go.WaitAsync();
            throw new TimeoutException();
        });
        using CancellationTokenSource given = new();
        Task<string>[] all = [group.AddAsync("a1", default), group.AddAsync("b1", default), group.AddAsync("c1", given.Token)];
        await given.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => all[2]);
        _go.Release(2);
        await Should.ThrowAsync<TimeoutException>(() => all[0]);
        await Should.ThrowAsync<TimeoutException>(() => all[1]);
    }

    private async Task UntilAsync(int groups) => await Harness.Eventually.Be(() =>
    {
        lock (_groups)
        {
            return _groups.Count == groups;
        }
    }, $"{groups} groups have begun");
}
