using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>A coordinator that answers what a test tells it to, over real gRPC on a free port.</summary>
internal sealed class FakeFleet : IAsyncDisposable
{
    private readonly int port;
    private WebApplication application;

    private FakeFleet(WebApplication application, Script script)
    {
        this.application = application;
        Answers = script;
        port = Address.Port;
    }

    public Script Answers { get; }

    public Uri Address => new(application.Urls.Single());

    public static async Task<FakeFleet> StartAsync()
    {
        var script = new Script();
        return new FakeFleet(await ListenAsync(script, 0), script);
    }

    /// <summary>As a coordinator that is killed: every connection breaks.</summary>
    public async Task StopAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await application.StopAsync(patience.Token);
        await application.DisposeAsync();
    }

    public async Task RestartAsync() => application = await ListenAsync(Answers, port);

    public async ValueTask DisposeAsync() => await StopAsync();

    private static async Task<WebApplication> ListenAsync(Script script, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(script);
        var application = builder.Build();
        application.MapGrpcService<Service>();
        await application.StartAsync();
        return application;
    }

    /// <summary>What the coordinator answers, and what it was asked.</summary>
    internal sealed class Script
    {
        public ListHostsResponse Hosts { get; set; } = new();

        public ListGuestsResponse Guests { get; set; } = new();

        public InspectGuestResponse Inspected { get; set; } = new();

        public ListImagesResponse Images { get; set; } = new();

        public ListUpgradesResponse Upgrades { get; set; } = new();

        public StartUpgradeResponse Started { get; set; } = new();

        /// <summary>Thrown by every call but a watch.</summary>
        public RpcException? Refusal { get; set; }

        /// <summary>Every call waits until its caller gives up.</summary>
        public bool Silent { get; set; }

        public Upgrade? Current { get; set; }

        public Rollout Rollout { get; set; } = new();

        public RolloutPlan Plan { get; set; } = new();

        public FleetStatus Status { get; set; } = new();

        public Schedule Schedule { get; set; } = new();

        public DeadLetters DeadLetters { get; set; } = new();

        /// <summary>One entry for each time that an upgrade is watched, by its id.</summary>
        public ConcurrentDictionary<string, ConcurrentQueue<Watch>> Watches { get; } = [];

        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ConcurrentQueue<object> Requests { get; } = [];

        public void OnWatch(string id, params Watch[] watches) => Watches[id] = new ConcurrentQueue<Watch>(watches);
    }

    /// <summary>How one stream of a watch goes.</summary>
    internal sealed record Watch(Ending Ending, params Upgrade[] States);

    internal enum Ending
    {
        Complete,
        BreakConnection,
        Hang,
        CompleteOnRelease,
        NotFound,
        Fail,
    }

    private sealed class Service(Script script) : Contracts.Fleet.Fleet.FleetBase
    {
        public override Task<ListHostsResponse> ListHosts(ListHostsRequest request, ServerCallContext context) => AnswerAsync(request, script.Hosts, context);

        public override Task<ListGuestsResponse> ListGuests(ListGuestsRequest request, ServerCallContext context) => AnswerAsync(request, script.Guests, context);

        public override Task<InspectGuestResponse> InspectGuest(InspectGuestRequest request, ServerCallContext context) => AnswerAsync(request, script.Inspected, context);

        public override Task<ListImagesResponse> ListImages(ListImagesRequest request, ServerCallContext context) => AnswerAsync(request, script.Images, context);

        public override Task<ListUpgradesResponse> ListUpgrades(ListUpgradesRequest request, ServerCallContext context) => AnswerAsync(request, script.Upgrades, context);

        public override Task<StartUpgradeResponse> StartUpgrade(StartUpgradeRequest request, ServerCallContext context) => AnswerAsync(request, script.Started, context);

        public override Task<Upgrade> GetUpgrade(GetUpgradeRequest request, ServerCallContext context) => AnswerAsync(request, script.Current!, context);

        public override Task<Image> DenyImage(JudgeImageRequest request, ServerCallContext context) => AnswerAsync(request, script.Images.Images[0], context);

        public override Task<RolloutPlan> PlanRollout(PlanRolloutRequest request, ServerCallContext context) => AnswerAsync(request, script.Plan, context);

        public override Task<Rollout> CreateRollout(CreateRolloutRequest request, ServerCallContext context) => AnswerAsync(request, script.Rollout, context);

        public override Task<Rollout> ApproveRollout(ApproveRolloutRequest request, ServerCallContext context) => AnswerAsync(request, script.Rollout, context);

        public override Task<Rollout> ControlRollout(ControlRolloutRequest request, ServerCallContext context) => AnswerAsync(request, script.Rollout, context);

        public override Task<Rollout> GetRollout(GetRolloutRequest request, ServerCallContext context) => AnswerAsync(request, script.Rollout, context);

        public override Task<FleetStatus> StopFleet(StopFleetRequest request, ServerCallContext context) => AnswerAsync(request, script.Status, context);

        public override Task<Schedule> CreateSchedule(CreateScheduleRequest request, ServerCallContext context) => AnswerAsync(request, script.Schedule, context);

        public override Task<Schedule> ControlSchedule(ControlScheduleRequest request, ServerCallContext context) => AnswerAsync(request, script.Schedule, context);

        public override Task<Schedule> GetSchedule(GetScheduleRequest request, ServerCallContext context) => AnswerAsync(request, script.Schedule, context);

        public override Task<ListSchedulesResponse> ListSchedules(ListSchedulesRequest request, ServerCallContext context) =>
            AnswerAsync(request, new ListSchedulesResponse { Schedules = { script.Schedule } }, context);

        public override Task<DeadLetters> ListDeadLetters(ListDeadLettersRequest request, ServerCallContext context) => AnswerAsync(request, script.DeadLetters, context);

        public override Task<DeadLetters> ControlDeadLetters(ControlDeadLettersRequest request, ServerCallContext context) =>
            AnswerAsync(request, script.DeadLetters, context);

        public override async Task WatchRollout(GetRolloutRequest request, IServerStreamWriter<Rollout> responseStream, ServerCallContext context)
        {
            script.Requests.Enqueue(request);
            await responseStream.WriteAsync(script.Rollout);
            Rollout ended = script.Rollout.Clone();
            (ended.Ended, ended.Succeeded, ended.State) = (true, true, "Completed");
            await responseStream.WriteAsync(ended);
        }

        public override async Task WatchUpgrade(GetUpgradeRequest request, IServerStreamWriter<Upgrade> responseStream, ServerCallContext context)
        {
            script.Requests.Enqueue(request);
            if (!script.Watches.TryGetValue(request.Id, out var watches) || !watches.TryDequeue(out var watch))
            {
                throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The test expects no further watch of {request.Id}."));
            }

            foreach (var state in watch.States)
            {
                await responseStream.WriteAsync(state);
            }

            switch (watch.Ending)
            {
                case Ending.BreakConnection:
                    context.GetHttpContext().Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();
                    break;
                case Ending.Hang:
                    await Task.Delay(Timeout.Infinite, context.CancellationToken);
                    break;
                case Ending.CompleteOnRelease:
                    await script.Release.Task.WaitAsync(context.CancellationToken);
                    break;
                case Ending.NotFound:
                    throw new RpcException(new Status(StatusCode.NotFound, "There is no such upgrade."));
                case Ending.Fail:
                    throw new InvalidOperationException("database away");
                case Ending.Complete:
                    break;
            }
        }

        private async Task<T> AnswerAsync<T>(object request, T answer, ServerCallContext context)
        {
            script.Requests.Enqueue(request);
            if (script.Silent)
            {
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }

            return script.Refusal is { } refusal ? throw refusal : answer;
        }
    }
}
