namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>Waits for a condition; the deadline is generous because it only matters when the test fails.</summary>
internal static class Eventually
{
    public static async Task<T> Get<T>(
        Func<Task<T>> look, Func<T, bool> until, string what, TimeSpan? within = null, TimeSpan? every = null)
    {
        using CancellationTokenSource deadline = new(within ?? TimeSpan.FromSeconds(60));
        while (true)
        {
            T seen = await look();
            if (until(seen))
            {
                return seen;
            }

            try
            {
                await Task.Delay(every ?? TimeSpan.FromMilliseconds(50), deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Did not come true: {what}. Last seen: {seen}");
            }
        }
    }

    public static Task Be(Func<bool> condition, string what, TimeSpan? within = null, TimeSpan? every = null) =>
        Get(() => Task.FromResult(condition()), held => held, what, within, every);
}
