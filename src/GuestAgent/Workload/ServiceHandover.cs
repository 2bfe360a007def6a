using System.Collections.Immutable;
using System.Diagnostics;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// The guest's services through an upgrade. In kernel A: warm copies before the cut-over, writes held for the last sync. In kernel B: the copies, and
/// their promotion. docs/services.md tells it in order.
/// </summary>
public sealed class ServiceHandover(
    ServiceDirectory directory, ServiceSupervisor supervisor, InPlaceServices inPlace, KernelFiles files, GuestNetwork network, TwinLink link, ServiceJournals journals, CopyWatch watch)
{
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);

    /// <summary>For the last sync and the promotion behind it, which have deadlines of their own in kernel B.</summary>
    private static readonly TimeSpan SyncPatience = TimeSpan.FromSeconds(10);

    /// <summary>Copies that are looked at for the first time may take long to answer.</summary>
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private ImmutableList<IPromotion>? _promotions;
    private ImmutableHashSet<string> _promoted = [];
    private ImmutableDictionary<string, IWriteHold> _holds = ImmutableDictionary<string, IWriteHold>.Empty;
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
        problems.AddRange(inPlace.Problems());
        if (services.FirstOrDefault(service => service.IsReplicated) is { } replicated && KernelCommandLine.Value(files.Read("/proc/cmdline"), "twinkernel.standby") is null)
        {
            problems.Add($"{replicated.Name} is {replicated.Handover}, and its copy has no address to replicate over: boot with twinkernel.standby=");
        }

        return (problems.Count == 0, string.Join("; ", problems.Count == 0 ? [$"{services.Count} in {ServiceDirectory.Directory}", .. inPlace.Unjournalled()] : problems));
    }

    /// <summary>For the preflight: can this kernel end with the machine's memory, by kexec?</summary>
    public (bool Passed, string Message) CheckMemory() => inPlace.Names.ToArray() is { Length: > 0 } names
        ? (false, $"{string.Join(", ", names)} would lose what is in preserved memory: upgrade by a twin, or take the service out first")
        : (true, "no service keeps its data in preserved memory");

    /// <summary>A service has some that kernel B has to be given.</summary>
    public bool HaveState => Replicated().Count > 0 || inPlace.Names.Any();

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
            List<IReplicatedService> replicated = Replicated();
            Ask(context, instance, new LinkMessage
            {
                Sequence = 0,
                Kind = LinkMessage.WarmServices,
                Services = [.. replicated.Select(service => service.Name)],
                InPlace = [.. inPlace.Names],
                Source = $"{network.Configuration?.Address}",
                Invitations = Invite(replicated),
            });
            AwaitReady(context, instance, patience);
            PrepareHolds(replicated);
            Couple(replicated);
        });
        context.Facts["services"] = string.Join(", ", services.Select(service => $"{service.Name} ({service.Handover})"));
    }

    /// <summary>In front of the park: no write is acknowledged here any more that kernel B does not have, it has all that were, and its copies are masters. Reads go on here.</summary>
    /// <exception cref="StepFailure">Not within seconds; <see cref="LetGo"/> undoes it.</exception>
    public void Hold(StepContext context, uint instance)
    {
        _holding = true;
        // Of a kernel with one CPU left the clients' requests have the rest.
        using Urgency urgency = new();
        foreach (IReplicatedService service in Replicated())
        {
            long started = Stopwatch.GetTimestamp();
            long offset = watch.Hold(service, _holds.GetValueOrDefault(service.Name));
            journals.LayOut(service.Name, offset);
            LinkMessage question = new() { Sequence = 0, Kind = LinkMessage.SyncService, Services = [service.Name], Offset = offset, HeldNanoseconds = Stopwatch.GetElapsedTime(started).Ticks * TimeSpan.NanosecondsPerTick };
            context.Measure($"sync.{service.Name}", () => link.Ask(instance, question, SyncPatience, context.Cancellation));
        }

        inPlace.Hold(context);
    }

    /// <summary>Writes go on. Nothing has happened to this kernel since they were held. Idempotent.</summary>
    public void LetGo()
    {
        ForgetHolds();
        if (_holding)
        {
            watch.End();
            inPlace.LetGo();
            journals.Discard();
            Replicated().ForEach(service => service.LetGo());
            _holding = false;
        }
    }

    /// <summary>This kernel was parked, and has not got its network back yet. What kernel B has acknowledged from its journals is executed here.</summary>
    /// <exception cref="IOException">Of one service or several; facts of the step say the same.</exception>
    public void ComeBack(StepContext context)
    {
        ForgetHolds();
        inPlace.ComeBack(context);
        List<string> problems = [];
        foreach (IReplicatedService service in Replicated())
        {
            Try(() => context.Measure($"replay.{service.Name}", () => journals.Replay(service.Name, context.Facts)));
            Try(() => context.Measure($"return.{service.Name}", service.ComeBack));
        }

        watch.End();
        _holding = problems.Count > 0;
        if (_holding)
        {
            throw new IOException(string.Join("; ", problems));
        }

        void Try(Action action)
        {
            try
            {
                action();
            }
            catch (IOException error)
            {
                problems.Add(error.Message);
            }
        }
    }

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>What kernel A's agent asks of the services here.</summary>
    /// <exception cref="IOException">It cannot be done, or is not done yet.</exception>
    internal void Answer(LinkMessage question)
    {
        switch (question.Kind)
        {
            case LinkMessage.WarmServices:
                string[] missing = [.. (question.Services ?? []).Except(Replicated().Select(service => service.Name))];
                if (missing.Length > 0)
                {
                    throw new IOException($"this image does not declare {string.Join(", ", missing)} as a service that replicates");
                }

                inPlace.Check(question.InPlace ?? []);
                _source = question.Source;
                Replicated().ForEach(service => service.Join(_source ?? "", question.Invitations?.GetValueOrDefault(service.Name)));
                supervisor.StartAll(standBy: true);
                break;
            case LinkMessage.ServicesReady:
                string[] problems = [.. Copies().Where(copy => copy.Problem is not null).Select(copy => $"{copy.Name}: {copy.Problem}")];
                if (problems.Length > 0)
                {
                    throw new IOException(string.Join("; ", problems));
                }

                _promotions?.ForEach(promotion => promotion.Dispose());
                _promotions = [.. Replicated().Select(service => service.Prepare())];
                journals.Prepare();
                break;
            case LinkMessage.SyncService:
                Take(question.Services![0], question);
                break;
        }
    }

    /// <summary>Kernel A has parked: what waited for that goes on.</summary>
    /// <param name="parkedAge">Since when.</param>
    /// <param name="mayReturn">There is a way back.</param>
    public void Serve(StepContext context, TimeSpan parkedAge, bool mayReturn)
    {
        supervisor.Serve();
        journals.Choose(mayReturn);
        _parts.ForEach(part => context.Add(part.Part, part.Time));
        if (_synced != 0)
        {
            context.Add("park", Stopwatch.GetElapsedTime(_synced) - parkedAge);
        }
    }

    /// <summary>Copies that are no masters yet become some: kernel A has panicked, or the agent that had begun with it here has ended.</summary>
    /// <param name="mayHold">There is a way back, on which writes would be lost.</param>
    /// <exception cref="IOException">One has not become a master.</exception>
    public void PromoteRest(StepContext context, bool mayHold)
    {
        foreach (IPromotion promotion in Promotions().Where(promotion => !_promoted.Contains(promotion.Name)))
        {
            context.Measure($"promote.{promotion.Name}", () => promotion.Promote(mayHold));
        }
    }

    /// <summary>Writes that the promotion held go on, where the service journals them.</summary>
    public void BeginJournals(StepContext context) => context.Measure("journal", () => journals.Begin(context));

    /// <summary>There is no way back any more: writes go on.</summary>
    public void Committed()
    {
        journals.End();
        _promotions?.ForEach(promotion => promotion.Dispose());
        _promotions = [];
        Replicated().ForEach(service => service.LetGo());
    }

    /// <summary>Kernel B serves: services that only its image has are started as well.</summary>
    public void Taken() => supervisor.StartAll(standBy: false);

    /// <summary>The machine is this kernel's: what services ask for is preserved, and those that waited for it are started.</summary>
    public void Owned()
    {
        inPlace.Preserve();
        supervisor.StartAll(standBy: false);
    }

    /// <summary>Kernel A holds the service's writes: it comes over. Nobody reaches it here before the card does, so that it promises nothing that kernel A might not have.</summary>
    private void Take(string service, LinkMessage question)
    {
        IPromotion promotion = Promotions().Find(promotion => promotion.Name == service) ?? throw new IOException($"{service} has no copy here");
        _parts.Add(($"pause.{service}", TimeSpan.FromTicks((question.HeldNanoseconds ?? 0) / TimeSpan.NanosecondsPerTick)));
        Measure("sync", () => promotion.CatchUp(question.Offset ?? 0));
        Measure("promote", () => promotion.Promote(mayHold: true));
        _promoted = _promoted.Add(service);
        Measure("follow", () => journals.Follow(service));
        _synced = Stopwatch.GetTimestamp();

        void Measure(string part, Action action)
        {
            long started = Stopwatch.GetTimestamp();
            action();
            _parts.Add(($"{part}.{service}", Stopwatch.GetElapsedTime(started)));
        }
    }

    /// <summary>As they were prepared, or, where the agent that did that has ended, anew.</summary>
    private ImmutableList<IPromotion> Promotions() => _promotions ??= supervisor.HasStarted ? [.. Replicated().Select(service => service.Prepare())] : [];

    // ---- both -----------------------------------------------------------------------------------------------------

    /// <summary>The agent comes up in a kernel that owns its machine, or that was serving when the agent before ended.</summary>
    public void Start(bool ownsMachine)
    {
        if (!ownsMachine && !supervisor.HasStarted)
        {
            return;
        }

        bool resumed = supervisor.HasStarted;
        if (ownsMachine)
        {
            inPlace.Preserve();
        }

        supervisor.StartAll(standBy: !ownsMachine);
        if (ownsMachine && resumed)
        {
            // The agent before may have ended while it held their writes, or behind a park, before it could replay.
            Replicated().ForEach(service => journals.Recover(service.Name));
            _holding = true;
            try
            {
                LetGo();
            }
            catch (IOException error)
            {
                watch.Release(Replicated(), error.Message);
            }
        }
    }

    /// <summary>This kernel ends, by kexec.</summary>
    public void Stop() => supervisor.StopAll();

    private List<IReplicatedService> Replicated() => [.. directory.Read().Where(service => service.IsReplicated).Select(Replicated)];

    private IReplicatedService Replicated(ServiceDefinition service) =>
        service.Handover == ServiceDefinition.ReplicatedPostgresql ? new PostgresService(service, files) : new RedisService(service);

    private static Dictionary<string, CopyInvitation>? Invite(List<IReplicatedService> services)
    {
        Dictionary<string, CopyInvitation> invitations = [];
        foreach (IReplicatedService service in services)
        {
            if (service.Invite() is { } invitation)
            {
                invitations[service.Name] = invitation;
            }
        }

        return invitations.Count == 0 ? null : invitations;
    }

    /// <summary>From here on a copy that is gone would hold up writes: whichever way the upgrade ends, they are let go.</summary>
    private void Couple(List<IReplicatedService> services)
    {
        List<(IReplicatedService, ICoupling)> coupled = [];
        _holding = true;
        try
        {
            foreach (IReplicatedService service in services)
            {
                if (service.Couple() is { } coupling)
                {
                    coupled.Add((service, coupling));
                }
            }
        }
        catch (IOException)
        {
            coupled.ForEach(each => each.Item2.Dispose());
            watch.Release(services, "its copy is not synchronous");
            throw;
        }

        watch.Begin(coupled);
    }

    private void PrepareHolds(List<IReplicatedService> services)
    {
        ForgetHolds();
        foreach (IReplicatedService service in services)
        {
            if (service.PrepareHold() is { } hold)
            {
                _holds = _holds.Add(service.Name, hold);
            }
        }
    }

    private void ForgetHolds()
    {
        foreach (IWriteHold hold in Interlocked.Exchange(ref _holds, ImmutableDictionary<string, IWriteHold>.Empty).Values)
        {
            hold.Dispose();
        }
    }

    private IEnumerable<(string Name, string? Problem)> Copies()
    {
        foreach (ServiceDefinition service in directory.Read().Where(supervisor.Keeps))
        {
            string? problem = service.Probe.Check();
            yield return (service.Name, problem ?? (service.IsReplicated ? Replicated(service).Follow(_source!) : null));
        }
    }

    private void AwaitReady(StepContext context, uint instance, TimeSpan patience)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                link.Ask(instance, new LinkMessage { Sequence = 0, Kind = LinkMessage.ServicesReady }, ReadyPatience, context.Cancellation);
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
