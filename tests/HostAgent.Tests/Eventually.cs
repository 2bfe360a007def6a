using System.Runtime.CompilerServices;

[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

namespace TwinKernel.Fleet.HostAgent.Tests;

/// <summary>Waits for a condition, with a deadline that a busy machine does not reach.</summary>
internal static class Eventually
{
    public static async Task Async(Func<bool> condition, int seconds = 60, [CallerArgumentExpression(nameof(condition))] string? what = null)
    {
        long deadline = Environment.TickCount64 + (seconds * 1000L);
        while (!condition())
        {
            if (Environment.TickCount64 > deadline)
            {
                throw new TimeoutException($"Not within {seconds} s: {what}");
            }

            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }
}
