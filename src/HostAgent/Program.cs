using TwinKernel.Fleet.HostAgent;
using TwinKernel.Fleet.HostAgent.Delivery;
using TwinKernel.Fleet.HostAgent.Machines;

if (args is ["--help" or "-h" or "help", ..])
{
    Console.WriteLine(Usage.Text);
    return 0;
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
try
{
    await builder.Build().RunAsync();
    return 0;
}
catch (Microsoft.Extensions.Options.OptionsValidationException e)
{
    return Usage.Error(string.Join('\n', e.Failures));
}
catch (IOException e)
{
    return Usage.Error(e.Message);
}
catch (InvalidOperationException e)
{
    return Usage.Error(e.Message);
}
