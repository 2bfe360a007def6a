using Microsoft.Extensions.Options;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>The machines of the configuration, supervised for as long as the agent runs.</summary>
internal sealed partial class HostMachines : BackgroundService
{
    private readonly AgentOptions _options;
    private readonly StateDirectory _state;
    private readonly ImageStore _images;
    private readonly ILogger _logger;
    private readonly Dictionary<string, GuestMachine> _machines = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _choosing = new(1, 1);
    private ChosenAccelerator? _chosen;

    public HostMachines(IOptions<AgentOptions> options, StateDirectory state, ImageStore images, TimeProvider time, ILogger<HostMachines> logger)
    {
        (_options, _state, _images, _logger) = (options.Value, state, images, logger);
        MachineStarter starter = new(_options.Name, _options.Qemu, logger);
        foreach (GuestOptions guest in _options.Guests)
        {
            GuestMachine machine = new(guest, new MachineFiles(state, guest.Name), starter, images, ChooseAcceleratorAsync, time, logger);
            machine.Changed += () => Changed?.Invoke();
            _machines.Add(guest.Name, machine);
        }
    }

    /// <summary>Raised when any machine starts to run or is gone.</summary>
    public event Action? Changed;

    public IReadOnlyCollection<GuestMachine> All => _machines.Values;

    public GuestMachine? Find(string guest) => _machines.GetValueOrDefault(guest);

    /// <summary>Chooses once; a choice without a probe, for want of an image, is made again next time.</summary>
    public async Task<ChosenAccelerator> ChooseAcceleratorAsync(CancellationToken cancellationToken)
    {
        await _choosing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_chosen is null)
            {
                IReadOnlyList<StoredImage> images = _images.List();
                ChosenAccelerator chosen = await new AcceleratorChoice(_options.Qemu, _state.AcceleratorFile, _logger)
                    .ChooseAsync(_options.Accelerator, images.FirstOrDefault()?.KernelPath, _options.AcceleratorProbeDeadline, cancellationToken).ConfigureAwait(false);
                if (images.Count == 0)
                {
                    return chosen;
                }

                _chosen = chosen;
            }

            return _chosen;
        }
        finally
        {
            _choosing.Release();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (string directory in Directory.EnumerateDirectories(_state.Machines))
        {
            if (!_machines.ContainsKey(Path.GetFileName(directory)))
            {
                Log.NotConfigured(_logger, Path.GetFileName(directory));
            }
        }

        await Task.WhenAll(_machines.Values.Select(m => m.RunAsync(stoppingToken))).ConfigureAwait(false);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        if (_options.StopGuestsOnExit)
        {
            await Task.WhenAll(_machines.Values.Select(m => m.EndAsync(cancellationToken))).ConfigureAwait(false);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4008, LogLevel.Warning, "The state directory knows guest {Guest}, which is not in Host:Guests; if it runs, it is left alone")]
        public static partial void NotConfigured(ILogger logger, string guest);
    }
}
