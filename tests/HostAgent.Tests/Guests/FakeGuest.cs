using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Tests.Observation;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Tests.Guests;

/// <summary>
/// The agent in a guest, played over real gRPC on loopback, with its observed service. It keeps the rules of the contract:
/// token, one boot id per kernel, a cut-over after which another kernel answers.
/// </summary>
internal sealed class FakeGuest : IAsyncDisposable
{
    private readonly WebApplication _web;
    private readonly CancellationTokenSource _gone = new();

    private FakeGuest(WebApplication web) => _web = web;

    public const string Token = "0123456789abcdef";

    public EchoService Echo { get; } = new();

    public GuestStatus Status { get; set; } = new()
    {
        KernelRelease = "6.1.0-a",
        BootId = "aaaaaaaa-0000-4000-8000-000000000000",
        CpusOnline = 2,
        CpusPresent = 2,
        MemoryBytes = 1000,
        MachineMemoryBytes = 1024,
        MachineMemoryOwnedBytes = 1024,
    };

    /// <summary>Calls by name, in order.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>What a call does before it answers; throwing fails it.</summary>
    public Func<string, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    public LoadHeader? Loaded { get; set; }

    public long LoadedBytes { get; set; }

    /// <summary>As the standby step asked.</summary>
    public bool TakesOverOnPanic { get; set; }

    /// <summary>What Transfer said of a card for kernel B.</summary>
    public StandbyCard? StandbyCard { get; set; }

    public bool PreflightPasses { get; set; } = true;

    public bool KexecPasses { get; set; } = true;

    public MachineEndpoint Endpoint { get; private set; } = null!;

    public static async Task<FakeGuest> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        FakeGuest? guest = null;
        builder.Services.AddSingleton(_ => guest!);
        WebApplication web = builder.Build();
        web.MapGrpcService<FakeGuestService>();
        guest = new FakeGuest(web);
        await web.StartAsync();
        guest.Endpoint = new MachineEndpoint(Guid.NewGuid(), new Uri(web.Urls.Single()), guest.Echo.Address, Token, guest._gone.Token);
        guest.Echo.BootId = guest.Status.BootId;
        return guest;
    }

    public static RpcException Refusal(string reason, string message, StatusCode code = StatusCode.FailedPrecondition) => new(
        new global::Grpc.Core.Status(code, message),
        new Metadata { { "twinkernel-step-error-bin", new StepError { Reason = reason, Message = message }.ToByteArray() } });

    /// <summary>Kernel B answers from now on, kernel A is parked.</summary>
    public void SwitchToB()
    {
        StepRecord takeOver = new() { Step = Step.CutOver, State = StepState.Succeeded };
        takeOver.Timings.Add(new Timing { Name = "cutover.adopt", Clock = "guest:bbbbbbbb-0000-4000-8000-000000000000", Nanoseconds = 7 });
        Status = new GuestStatus(Status) { KernelRelease = "6.12.0-b", BootId = "bbbbbbbb-0000-4000-8000-000000000000", TwinBooted = true, HasParent = true, CpusOnline = 1, MachineMemoryOwnedBytes = 512 };
        Status.Steps.Add(takeOver);
        Echo.BootId = Status.BootId;
    }

    /// <summary>Another kernel, booted by kexec or by firmware, answers from now on.</summary>
    public void BootAnew(string bootId, string release)
    {
        Status = new GuestStatus(Status) { KernelRelease = release, BootId = bootId, TwinBooted = false, HasParent = false };
        Status.Steps.Clear();
        Echo.BootId = bootId;
    }

    public void Commit() => Status = new GuestStatus(Status) { HasParent = false, CpusOnline = Status.CpusPresent, MachineMemoryOwnedBytes = Status.MachineMemoryBytes };

    /// <summary>The machine ends: nothing answers any more.</summary>
    public async Task EndAsync()
    {
        await _gone.CancelAsync();
        Echo.Silent = true;
        await _web.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _web.DisposeAsync();
        Echo.Dispose();
    }
}

internal sealed class FakeGuestService(FakeGuest guest) : Contracts.Guest.GuestAgent.GuestAgentBase
{
    public override async Task<GuestStatus> GetStatus(StatusRequest request, ServerCallContext context)
    {
        await EnterAsync("GetStatus", context);
        return guest.Status;
    }

    public override async Task<Inspection> Inspect(InspectRequest request, ServerCallContext context)
    {
        await EnterAsync("Inspect", context);
        return new Inspection { Status = guest.Status, Cpus = { new Inspection.Types.Cpu { Number = 1, Owner = "instance 1" } } };
    }

    public override async Task<PreflightReport> Preflight(PreflightRequest request, ServerCallContext context)
    {
        await EnterAsync("Preflight", context);
        return new PreflightReport
        {
            Checks =
            {
                new PreflightReport.Types.Check { Name = "cpus", Passed = guest.PreflightPasses, Message = "one CPU only", NeededFor = { Strategy.Twin } },
                new PreflightReport.Types.Check { Name = "memory", Passed = guest.PreflightPasses, Message = "too little", NeededFor = { Strategy.Twin } },
                new PreflightReport.Types.Check { Name = "kexec", Passed = guest.KexecPasses, Message = "disabled", NeededFor = { Strategy.Kexec } },
                new PreflightReport.Types.Check { Name = "upgrade", Passed = true, Message = "none" },
            },
            Chosen = request.Strategies.FirstOrDefault(s => s == Strategy.Twin ? guest.PreflightPasses : guest.KexecPasses),
        };
    }

    public override Task<StepResult> Reserve(ReserveRequest request, ServerCallContext context) => StepAsync("Reserve", context);

    public override async Task<StepResult> Load(IAsyncStreamReader<LoadRequest> requestStream, ServerCallContext context)
    {
        await EnterAsync("Load", context);
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            LoadRequest part = requestStream.Current;
            guest.Loaded = part.Header ?? guest.Loaded;
            guest.LoadedBytes += part.Chunk.Length;
        }

        return new StepResult { Facts = { ["signature"] = "unsigned" } };
    }

    public override Task<StepResult> Start(StepRequest request, ServerCallContext context) => StepAsync("Start", context);

    public override Task<StepResult> AwaitStandby(StandbyRequest request, ServerCallContext context)
    {
        guest.TakesOverOnPanic = request.TakeOverOnPanic;
        return StepAsync("AwaitStandby", context);
    }

    public override async Task<StepResult> Transfer(TransferRequest request, ServerCallContext context)
    {
        guest.StandbyCard = request.StandbyCard;
        StepResult result = await StepAsync("Transfer", context);
        if (request.StandbyCard is { } card)
        {
            result.Facts["card.serves"] = card.Network;
        }

        return result;
    }

    public override Task<StepResult> CutOver(CutOverRequest request, ServerCallContext context) => StepAsync("CutOver", context);

    public override Task<StepResult> Commit(StepRequest request, ServerCallContext context) => StepAsync("Commit", context);

    public override Task<StepResult> RollBack(StepRequest request, ServerCallContext context) => StepAsync("RollBack", context);

    private async Task<StepResult> StepAsync(string name, ServerCallContext context)
    {
        await EnterAsync(name, context);
        return new StepResult { Timings = { new Timing { Name = name.ToLowerInvariant(), Clock = $"guest:{guest.Status.BootId}", Nanoseconds = 7 } } };
    }

    private async Task EnterAsync(string name, ServerCallContext context)
    {
        if (context.RequestHeaders.GetValue("authorization") != $"Bearer {FakeGuest.Token}")
        {
            throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unauthenticated, "wrong token"));
        }

        lock (guest.Calls)
        {
            guest.Calls.Add(name);
        }

        await guest.Before(name, context.CancellationToken);
    }
}
