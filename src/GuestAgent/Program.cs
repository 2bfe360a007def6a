using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;

long started = Stopwatch.GetTimestamp();
AgentOptions options;
try
{
    options = AgentOptions.Parse(args);
}
catch (FormatException error)
{
    Console.Error.WriteLine(error.Message);
    return 2;
}

// Steps block threads of their own; two more than CPUs keep the status answering while CPUs come and go.
ThreadPool.SetMinThreads(4, 4);
KernelFiles files = new();
KernelIdentity identity = new(files);
IoctlNetworkStack stack = new();
stack.BringUpLoopback();
using UdpEcho echo = new(identity.BootId, new IPEndPoint(IPAddress.Any, options.EchoPort));
echo.Start();

WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.Logging.AddProvider(new KernelLog()).SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning);
((IWebHostBuilder)builder.WebHost).UseKestrelCore().ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Listen(IPAddress.Any, options.Port, listen =>
    {
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(next => connection =>
        {
            OutputPlug.Exempt(connection.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket);
            return next(connection);
        });
    });
});
builder.Services.Configure<SocketTransportOptions>(sockets => sockets.CreateBoundListenSocket = endPoint =>
{
    Socket listener = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
    OutputPlug.Exempt(listener);
    return listener;
});
builder.Services.AddGrpc();
builder.Services.AddRouting();
builder.Services
    .AddSingleton(files)
    .AddSingleton(identity)
    .AddSingleton(TimeProvider.System)
    .AddSingleton<INetworkStack>(stack)
    .AddSingleton(provider => AgentStartup.OpenDevice(options, files, provider.GetRequiredService<ILogger<AgentStartup>>()))
    .AddSingleton<CpuSwitch>().AddSingleton<MemoryBlocks>().AddSingleton<IKexec, KexecCalls>().AddSingleton<KexecImage>()
    .AddSingleton<GuestNetwork>().AddSingleton<BearerToken>().AddSingleton<StatusReader>().AddSingleton<InspectionReader>()
    .AddSingleton<UpgradeJournal>()
    .AddSingleton<TwinInstances>().AddSingleton<TwinLink>().AddSingleton<HandoverOffer>().AddSingleton<StandbyNetwork>().AddSingleton<StandbyCard>().AddSingleton<QuietConsole>().AddSingleton<ContactWatchdog>().AddSingleton<Standby>()
    .AddSingleton<StepHooks>().AddSingleton<ServiceDirectory>().AddSingleton<PreservedMemory>().AddSingleton<ServiceSupervisor>().AddSingleton<InPlaceServices>().AddSingleton<ServiceJournals>().AddSingleton<CopyWatch>().AddSingleton<ServiceHandover>().AddSingleton<StepRunner>().AddSingleton<GiveBack>()
    .AddSingleton<Preflight>().AddSingleton<Reserve>().AddSingleton<Load>().AddSingleton<Start>().AddSingleton<AwaitStandby>()
    .AddSingleton<Transfer>().AddSingleton<CutOver>().AddSingleton<Commit>().AddSingleton<RollBack>()
    .AddSingleton<KexecLoad>().AddSingleton<KexecCutOver>().AddSingleton<Steps>()
    .AddSingleton(options).AddSingleton<CallRehearsal>().AddSingleton<AgentStartup>().AddSingleton<GuestAgentService>();

WebApplication application = builder.Build();
AgentStartup startup = application.Services.GetRequiredService<AgentStartup>();
startup.BringUpNetwork();
application.UseBearerToken(application.Services.GetRequiredService<BearerToken>(), application.Services.GetRequiredService<ContactWatchdog>());
application.MapGrpcService<GuestAgentService>();
await application.StartAsync();
await startup.ServeAsync(identity, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
await application.WaitForShutdownAsync();
return 0;
