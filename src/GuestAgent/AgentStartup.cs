using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent;

/// <summary>What an agent does when it comes up, by the kind of kernel that it finds itself in.</summary>
internal sealed partial class AgentStartup(
    ITwinKernelDevice device, KernelFiles files, GuestNetwork network, BearerToken token, Standby standby, StepRunner runner, ServiceHandover services, CallRehearsal rehearsal,
    ILogger<AgentStartup> logger)
{
    private const string DevicePath = "/dev/twinkernel";
    private static readonly TimeSpan InterfacePatience = TimeSpan.FromSeconds(5);

    /// <summary>Loads the module if asked to and opens its device.</summary>
    public static ITwinKernelDevice OpenDevice(AgentOptions options, KernelFiles files, ILogger logger)
    {
        try
        {
            if (options.Module is { } module)
            {
                string? control = KernelCommandLine.Value(files.Read("/proc/cmdline"), "twinkernel.control");
                ModuleLoader.Load(module, control is null ? "" : $"control={control}");
            }

            return TwinKernelDevice.Open(DevicePath);
        }
        catch (DeviceException error)
        {
            Log.NoModule(logger, error.Message);
            return new MissingDevice(error);
        }
    }

    /// <summary>Before the service listens: the network, where this kernel owns it, and the token.</summary>
    public void BringUpNetwork()
    {
        standby.Recall();
        token.TryFind();
        if (HasParent())
        {
            return;
        }

        runner.EndInterrupted();
        try
        {
            if (standby.Order is { } order)
            {
                // There may be a second card, and it may come first.
                network.ConfigureByMac(order.Mac, NetworkConfiguration.Parse(order.Network), InterfacePatience);
            }
            else if (KernelCommandLine.Value(files.Read("/proc/cmdline"), "twinkernel.net") is not { } wanted)
            {
                Log.NoConfiguration(logger);
            }
            else if (!network.ConfigureFirst(NetworkConfiguration.Parse(wanted)))
            {
                Log.NoInterface(logger);
            }
        }
        catch (Exception error) when (error is FormatException or IOException or TimeoutException)
        {
            Log.NetworkFailed(logger, error.Message);
        }
    }

    /// <summary>With the service listening: in an instance everything is warm, and the parent may be told.</summary>
    public async Task ServeAsync(KernelIdentity identity, double milliseconds)
    {
        bool isStandby = HasParent();
        if (token.Value is null && !isStandby)
        {
            Log.NoToken(logger);
        }

        if (isStandby)
        {
            await rehearsal.RunAsync();
        }

        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        Log.Serving(logger, identity.Release, identity.BootId, network.Configuration?.Cidr ?? "no network yet", milliseconds);
        services.Start(ownsMachine: !isStandby);
        if (isStandby)
        {
            standby.Begin();
        }
    }

    private bool HasParent()
    {
        try
        {
            return device.Query().HasParent;
        }
        catch (DeviceException)
        {
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "serving in kernel {Release}, boot id {BootId}, {Network}, {Milliseconds:0} ms after the agent's start")]
        public static partial void Serving(ILogger logger, string release, string bootId, string network, double milliseconds);

        [LoggerMessage(2, LogLevel.Error, "no module, so no upgrade is possible: {Message}")]
        public static partial void NoModule(ILogger logger, string message);

        [LoggerMessage(3, LogLevel.Warning, "no network: the kernel command line has no twinkernel.net=ADDRESS/PREFIX,GATEWAY")]
        public static partial void NoConfiguration(ILogger logger);

        [LoggerMessage(4, LogLevel.Error, "no network: no interface on a PCI function")]
        public static partial void NoInterface(ILogger logger);

        [LoggerMessage(5, LogLevel.Error, "no network: {Message}")]
        public static partial void NetworkFailed(ILogger logger, string message);

        [LoggerMessage(6, LogLevel.Error, "no token in fw_cfg (opt/twinkernel/token) or /run/twinkernel: nobody will be let in")]
        public static partial void NoToken(ILogger logger);
    }
}
