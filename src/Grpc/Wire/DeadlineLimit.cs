namespace Grpc.Wire;

internal static class DeadlineLimit
{
    /// <summary>The longest time that a timer takes: a deadline that is further away ends the call after this.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(49);
}
