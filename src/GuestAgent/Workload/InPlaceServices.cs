using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// Services whose data lie in preserved memory. One copy at a time uses it: kernel A's is stopped before the park, kernel B's stands by until A has parked.
/// A copy that was stopped knows nothing of what the other has written since: when A goes on, it is killed and started anew. docs/services.md
/// says what a service must bear.
/// </summary>
public sealed class InPlaceServices(ServiceDirectory directory, ServiceSupervisor supervisor, PreservedMemory preserved)
{
    private const int Continue = 18;
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);
    private readonly Dictionary<string, string> _refused = [];

    /// <summary>By name.</summary>
    public IEnumerable<string> Names => Services.Select(service => service.Name);

    private IEnumerable<ServiceDefinition> Services => directory.Read().Where(service => service.IsInPlace);

    /// <summary>In a kernel that owns its machine: what services ask for is preserved from here on, whichever way they hand over.</summary>
    public void Preserve()
    {
        foreach (ServiceDefinition service in directory.Read())
        {
            if (service.Preserve is not { } wanted)
            {
                continue;
            }

            _refused.Remove(service.Name);
            try
            {
                preserved.Ensure(service.Name, wanted.Bytes);
            }
            catch (DeviceException error) when (service.IsJournalled && error.Errno == Errno.EEXIST)
            {
                // Of the size that a kernel before has chosen: a journal all the same.
            }
            catch (Exception error) when (error is IOException or FormatException)
            {
                _refused[service.Name] = error.Message;
            }
        }
    }

    /// <summary>Which services are not started, for want of the memory that they ask for.</summary>
    public IEnumerable<string> Problems() => Refused(journalled: false, "is not started, since its memory cannot be preserved");

    /// <summary>Which have no journal, and go over without.</summary>
    public IEnumerable<string> Unjournalled() => Refused(journalled: true, "lets writes wait for the commit, since its journal cannot be preserved");

    /// <summary>In kernel B: can it go on with what kernel A's services have?</summary>
    /// <param name="served">In place, in kernel A.</param>
    /// <exception cref="IOException">It cannot.</exception>
    public void Check(IEnumerable<string> served)
    {
        string[] problems =
        [
            .. served.Except(Names).Select(name => $"this image does not declare {name} as a service that hands over in place"),
            .. directory.Read().Select(Mismatch).OfType<string>(),
        ];
        if (problems.Length > 0)
        {
            throw new IOException(string.Join("; ", problems));
        }
    }

    /// <summary>In kernel A, inside the gap: nothing is written to their memory here any more.</summary>
    /// <exception cref="IOException">One does not stand still. Those that do go on with <see cref="LetGo"/>.</exception>
    public void Hold(StepContext context)
    {
        foreach (ServiceDefinition service in Services)
        {
            context.Measure($"pause.{service.Name}", () => supervisor.Find(service.Name)?.StopGroup(StopPatience));
        }
    }

    /// <summary>They go on where they stood. Nobody has written to their memory. Idempotent.</summary>
    public void LetGo()
    {
        foreach (string name in Names)
        {
            supervisor.Find(name)?.SignalGroup(Continue);
        }
    }

    /// <summary>In kernel A when it has taken the machine back: they begin with what kernel B has left.</summary>
    public void ComeBack(StepContext context)
    {
        foreach (ServiceDefinition service in Services)
        {
            context.Measure($"return.{service.Name}", () => supervisor.Renew(service));
        }
    }

    private IEnumerable<string> Refused(bool journalled, string consequence) => directory.Read()
        .Where(service => service.IsJournalled == journalled && _refused.ContainsKey(service.Name))
        .Select(service => $"{service.Name} {consequence}: {_refused[service.Name]}");

    private string? Mismatch(ServiceDefinition service)
    {
        try
        {
            if (service.OwnMemory is { } wanted)
            {
                preserved.Ensure(service.Name, wanted.Bytes);
            }

            return null;
        }
        catch (DeviceException error) when (error.Errno == Errno.EAGAIN)
        {
            return null; // New with this image: made when the machine is this kernel's.
        }
        catch (DeviceException error)
        {
            return $"{service.Name}: {error.Message}";
        }
    }
}
