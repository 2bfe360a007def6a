using System.Collections.Immutable;
using System.Diagnostics;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// The guest's services through an upgrade. In kernel A: warm copies before the cut-over, writes held for the last sync. In kernel B: the copies, and
/// their promotion. docs/services.md tells it in order.
/// </summary>
public sealed class ServiceHandover(ServiceDirectory directory, ServiceSupervisor supervisor, KernelFiles files, GuestNetwork network, TwinLink link)
{
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private ImmutableList<RedisService.Promotion> _promotions = [];
    private readonly List<(string Part, TimeSpan Time)> _parts = [];
    private long _synced;
    private volatile bool _holding;
    private string? _source;

    // ---- kernel A -------------------------------------------------------------------------------------------------

    /// <summary>For the preflight.</summary>
    public (bool Passed, string Message) Check()
    {
        List<string> problems = [];
        IReadOnlyList<ServiceDefinition> services = directory.Read(problems);
        problems.AddRange(services.Select(service => (service.Name, Problem: service.Probe.Check())).Where(probed => probed.Problem is not null).Select(probed => $"{probed.Name} does not serve: {probed.Problem}"));
        if (services.FirstOrDefault(service => service.IsReplicated) is { } replicated && KernelCommandLine.Value(files.Read("/proc/cmdline"), "twinkernel.standby") is null)
        {
            problems.Add($"{replicated.Name} is {replicated.Handover}, and its copy has no address to replicate over: boot with twinkernel.standby=");
        }

        return (problems.Count == 0, problems.Count == 0 ? $"{services.Count} in {ServiceDirectory.Directory}" : string.Join("; ", problems));
    }

    /// <summary>Has kernel B start its copies, and waits until each serves there and has what this kernel's has.</summary>
    /// <exception cref="StepFailure">One does not within <paramref name="patience"/>, or kernel B's image does not have it.</exception>
    public void Warm(StepContext context, uint instance, TimeSpan patience)
    {
        IReadOnlyList<ServiceDefinition> services = directory.Read();
        if (services.Count == 0)
        {
            return;
        }

        context.Measure("services", () =>
        {
            Ask(context, instance, new LinkMessage
            {
                Sequence = 0,
                Kind = LinkMessage.WarmServices,
                Services = [.. services.Where(service => service.IsReplicated).Select(service => service.Name)],
                Source = $"{network.Configuration?.Address}",
            });
            AwaitReady(context, instance, patience);
        });
        context.Facts["services"] = string.Join(", ", services.Select(service => $"{service.Name} ({service.Handover})"));
    }

    /// <summary>Inside the gap, in front of the park: no write is executed here any more, and kernel B has all that were.</summary>
    /// <exception cref="StepFailure">Not within seconds; <see cref="LetGo"/> undoes it.</exception>
    public void Hold(StepContext context, uint instance)
    {
        foreach (RedisService redis in Replicated())
        {
            _holding = true;
            long started = Stopwatch.GetTimestamp();
            LinkMessage question = new() { Sequence = 0, Kind = LinkMessage.SyncService, Services = [redis.Name], Offset = redis.Hold(), HeldNanoseconds = Stopwatch.GetElapsedTime(started).Ticks * TimeSpan.NanosecondsPerTick };
            context.Measure($"sync.{redis.Name}", () => Ask(context, instance, question));
        }
    }

    /// <summary>Writes go on. Nothing has happened to this kernel since they were held. Idempotent.</summary>
    public void LetGo()
    {
        if (_holding)
        {
            Replicated().ForEach(redis => redis.LetGo());
            _holding = false;
        }
    }

    /// <summary>This kernel was parked, and has not got its network back yet.</summary>
    public void ComeBack(StepContext context)
    {
        foreach (RedisService redis in Replicated())
        {
            context.Measure($"return.{redis.Name}", redis.ComeBack);
        }

        _holding = false;
    }

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>What kernel A's agent asks of the services here.</summary>
    /// <exception cref="IOException">It cannot be done, or is not done yet.</exception>
    internal void Answer(LinkMessage question)
    {
        switch (question.Kind)
        {
            case LinkMessage.WarmServices:
                string[] missing = [.. (question.Services ?? []).Except(Replicated().Select(redis => redis.Name))];
                if (missing.Length > 0)
                {
                    throw new IOException($"this image does not declare {string.Join(", ", missing)} as a service that replicates");
                }

                supervisor.StartAll();
                _source = question.Source;
                break;
            case LinkMessage.ServicesReady:
                string[] problems = [.. Copies().Where(copy => copy.Problem is not null).Select(copy => $"{copy.Name}: {copy.Problem}")];
                if (problems.Length > 0)
                {
                    throw new IOException(string.Join("; ", problems));
                }

                _promotions.ForEach(promotion => promotion.Dispose());
                _promotions = [.. Replicated().Select(redis => redis.Prepare())];
                break;
            case LinkMessage.SyncService:
                Sync(Replicated().Single(redis => redis.Name == question.Services![0]), question);
                break;
        }
    }

    /// <summary>Kernel A has parked: the copies become masters while the card is on its way.</summary>
    /// <param name="parkedAge">Since when.</param>
    /// <param name="mayHold">There is a way back.</param>
    public void BeginPromotion(StepContext context, TimeSpan parkedAge, bool mayHold)
    {
        if (_promotions.IsEmpty && supervisor.HasStarted)
        {
            // The agent that prepared them has ended.
            _promotions = [.. Replicated().Select(redis => redis.Prepare())];
        }

        _promotions.ForEach(promotion => promotion.Ask(mayHold));
        _parts.ForEach(part => context.Add(part.Part, part.Time));
        if (_synced != 0)
        {
            context.Add("park", Stopwatch.GetElapsedTime(_synced) - parkedAge);
        }
    }

    /// <exception cref="IOException">One has not become a master.</exception>
    public void EndPromotion(StepContext context)
    {
        foreach (RedisService.Promotion promotion in _promotions)
        {
            context.Measure($"promote.{promotion.Name}", promotion.Confirm);
        }
    }

    /// <summary>There is no way back any more: writes go on.</summary>
    public void Committed()
    {
        _promotions.ForEach(promotion => promotion.Dispose());
        _promotions = [];
        Replicated().ForEach(redis => redis.LetGo());
    }

    /// <summary>Kernel B serves: services that only its image has are started as well.</summary>
    public void Taken() => supervisor.StartAll();

    private void Sync(RedisService redis, LinkMessage question)
    {
        long started = Stopwatch.GetTimestamp();
        redis.CatchUp(question.Offset ?? 0);
        _parts.Add(($"pause.{redis.Name}", TimeSpan.FromTicks((question.HeldNanoseconds ?? 0) / TimeSpan.NanosecondsPerTick)));
        _parts.Add(($"sync.{redis.Name}", Stopwatch.GetElapsedTime(started)));
        _synced = Stopwatch.GetTimestamp();
    }

    // ---- both -----------------------------------------------------------------------------------------------------

    /// <summary>The agent comes up in a kernel that owns its machine, or that was serving when the agent before ended.</summary>
    public void Start(bool ownsMachine)
    {
        if (!ownsMachine && !supervisor.HasStarted)
        {
            return;
        }

        bool resumed = supervisor.HasStarted;
        supervisor.StartAll();
        if (ownsMachine && resumed)
        {
            // The agent before may have ended while it held their writes.
            _holding = true;
            LetGo();
        }
    }

    /// <summary>This kernel ends, by kexec.</summary>
    public void Stop() => supervisor.StopAll();

    private List<RedisService> Replicated() => [.. directory.Read().Where(service => service.IsReplicated).Select(service => new RedisService(service))];

    private IEnumerable<(string Name, string? Problem)> Copies()
    {
        foreach (ServiceDefinition service in directory.Read())
        {
            string? problem = service.Probe.Check();
            if (problem is null && service.IsReplicated)
            {
                RedisService redis = new(service);
                problem = redis.NotFollowing();
                if (problem is "it is a master")
                {
                    redis.Follow(_source!);
                }
            }

            yield return (service.Name, problem);
        }
    }

    private void AwaitReady(StepContext context, uint instance, TimeSpan patience)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                Ask(context, instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.ServicesReady });
                return;
            }
            catch (StepFailure failure) when (failure.Reason == Reasons.Device)
            {
                if (Stopwatch.GetElapsedTime(started) > patience)
                {
                    throw new StepFailure(StatusCode.DeadlineExceeded, Reasons.ServiceNotReady, $"Kernel B's services are not ready after {patience.TotalSeconds:0.0} s. {failure.Message}", failure);
                }
            }

            context.Cancellation.WaitHandle.WaitOne(Look);
            context.Cancellation.ThrowIfCancellationRequested();
        }
    }

    private void Ask(StepContext context, uint instance, LinkMessage question) => link.Ask(instance, question, AnswerPatience, context.Cancellation);
}
