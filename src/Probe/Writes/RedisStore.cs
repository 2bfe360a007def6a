using System.Net;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>A key for each write.</summary>
internal sealed class RedisStore(IPEndPoint service, TimeSpan timeout, WriteLog log) : IWriteStore
{
    private const int BatchSize = 500;
    private readonly RedisConnection _redis = new(service, timeout);

    public IReadOnlyList<string?> Read(IReadOnlyList<long> numbers)
    {
        IReadOnlyList<string?> values = _redis.Ask(["MGET", .. numbers.Select(log.Key)]);
        return values.Count == numbers.Count ? values : throw new InvalidDataException($"MGET of {numbers.Count} keys brought {values.Count} values");
    }

    public void Remove(long next)
    {
        for (long begin = 0; begin < next; begin += BatchSize)
        {
            _redis.Ask(["UNLINK", .. Enumerable.Range(0, (int)Math.Min(BatchSize, next - begin)).Select(index => log.Key(begin + index))]);
        }
    }

    public void Dispose() => _redis.Dispose();
}
