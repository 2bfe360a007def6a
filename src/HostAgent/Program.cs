using TwinKernel.Fleet.HostAgent;
using TwinKernel.Fleet.HostAgent.Delivery;
using TwinKernel.Fleet.HostAgent.Machines;

if (args is ["--help" or "-h" or "help", ..])
{
    Console.WriteLine(Usage.Text);
    return 0;
}

if (args is ["console", ..])
{
    string[] console = [.. args[1..].TakeWhile(a => !a.StartsWith("--", StringComparison.Ordinal))];
    string? state = Host.CreateApplicationBuilder(args[(1 + console.Length)..]).Configuration["Host:StateDirectory"];
    return state is { Length: > 0 }
        ? await new ConsoleAttachment(state, Console.OpenStandardInput(), Console.OpenStandardOutput(), Console.Error).RunAsync(console, CancellationToken.None)
        : Usage.Error("Host:StateDirectory is missing; set Host__StateDirectory or --Host:StateDirectory.");
}

bool stopGuests = args is ["stop-guests" or "--stop-guests", ..];
string[] settings = [.. (stopGuests ? args[1..] : args).Where(a => a != "--forget")];
HostApplicationBuilder builder = Host.CreateApplicationBuilder(settings);
if (stopGuests)
{
    return builder.Configuration["Host:StateDirectory"] is { Length: > 0 } stateDirectory
        ? await StopGuests.RunAsync(stateDirectory, args.Contains("--forget"), Console.Out, Console.Error, CancellationToken.None)
        : Usage.Error("Host:StateDirectory is missing; set Host__StateDirectory or --Host:StateDirectory.");
}

builder.Services
    .AddConfiguration(builder.Configuration)
    .AddImages()
    .AddMachines()
    .AddUpgrades()
    .AddBroker()
    .AddHeartbeats();
using IHost host = builder.Build();
if (host.Services.ConfigurationErrors() is { Count: > 0 } errors)
{
    return Usage.Error(string.Join('\n', errors));
}

CancellationToken stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
try
{
    await host.RunAsync();
    return 0;
}
catch (Exception) when (stopping.IsCancellationRequested)
{
    // Told to end while it was still starting: what was being waited for, such as a broker that is away, no longer matters.
    return 0;
}
catch (Exception e) when (e is IOException or InvalidOperationException)
{
    return Usage.Error(e.Message);
}
