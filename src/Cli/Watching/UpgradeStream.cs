using System.Runtime.CompilerServices;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Fleet;
using FleetService = TwinKernel.Fleet.Contracts.Fleet.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>
/// The states of one upgrade until it has ended. A stream that breaks is opened again, on whichever coordinator
/// answers then; only what another try cannot change ends it.
/// </summary>
internal sealed class UpgradeStream(FleetService.FleetClient client, TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    /// <param name="id">The upgrade.</param>
    /// <param name="broken">Told why a stream broke, and how long the pause is.</param>
    /// <param name="cancellationToken">Ends the watch with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="RpcException">The coordinator knows the upgrade no more, or refuses.</exception>
    public async IAsyncEnumerable<Upgrade> ReadAsync(string id, Action<Status, TimeSpan> broken, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (true)
        {
            var ending = new Status(StatusCode.Unavailable, "The coordinator ended the stream before the upgrade has ended.");
            using (var call = client.WatchUpgrade(new GetUpgradeRequest { Id = id }, cancellationToken: cancellationToken))
            {
                while (true)
                {
                    try
                    {
                        if (!await call.ResponseStream.MoveNext(cancellationToken))
                        {
                            break;
                        }
                    }
                    catch (RpcException e)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        if (!MayPass(e.StatusCode))
                        {
                            throw;
                        }

                        ending = e.Status;
                        break;
                    }

                    pause = FirstPause;
                    var upgrade = call.ResponseStream.Current;
                    yield return upgrade;
                    if (upgrade.Ended)
                    {
                        yield break;
                    }
                }
            }

            broken(ending, pause);
            await Task.Delay(pause, time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private static bool MayPass(StatusCode code) => code is
        StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown
        or StatusCode.Aborted or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded;
}
