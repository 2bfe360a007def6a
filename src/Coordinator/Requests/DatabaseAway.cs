using Grpc.Core;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>While the database is away a call ends with UNAVAILABLE: nothing was done, or it can safely be asked again.</summary>
internal static class DatabaseAway
{
    public static async Task<T> Tell<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (e is not RpcException && FleetTransaction.IsDatabaseTrouble(e))
        {
            throw Unavailable();
        }
    }

    public static async Task Tell(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (Exception e) when (e is not RpcException && FleetTransaction.IsDatabaseTrouble(e))
        {
            throw Unavailable();
        }
    }

    private static RpcException Unavailable() => new(new Status(
        StatusCode.Unavailable, "The coordinator does not reach its database; ask again, with the same request id."));
}
