namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Waits for a condition of another process that tells nobody when it becomes true.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <exception cref="TimeoutException">The condition did not become true; the message names it and the last error.</exception>
    public static async Task TrueAsync(TimeSpan deadline, string condition, Func<Task<bool>> probe)
    {
        long start = TimeProvider.System.GetTimestamp();
        Exception? last = null;
        while (TimeProvider.System.GetElapsedTime(start) < deadline)
        {
            try
            {
                if (await probe())
                {
                    return;
                }

                last = null;
            }
            catch (Grpc.Core.RpcException e)
            {
                last = e;
            }

            await Task.Delay(Interval);
        }

        throw new TimeoutException($"Not within {deadline}: {condition}. {last?.Message}", last);
    }
}
