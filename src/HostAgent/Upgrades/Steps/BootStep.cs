namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Starts kernel B beside kernel A.</summary>
internal static class BootStep
{
    public static Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        StandbyConsole.Mark(context);
        return context.StepAsync((guest, options) => guest.Client.StartAsync(context.Request, options).ResponseAsync, cancellationToken);
    }
}
