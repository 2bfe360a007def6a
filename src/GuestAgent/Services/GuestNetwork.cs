using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>A network interface that sits on a PCI function.</summary>
/// <param name="Name">As in <c>/sys/class/net</c>.</param>
/// <param name="Mac">Lower case, with colons.</param>
/// <param name="Function">The PCI function that moves at the cut-over.</param>
/// <param name="Driver">The PCI driver that it is bound to, such as <c>virtio-pci</c>.</param>
public sealed record GuestInterface(string Name, string Mac, PciFunction Function, string Driver);

/// <summary>The guest's one network interface and its configuration.</summary>
public sealed class GuestNetwork(KernelFiles files, INetworkStack stack)
{
    private const string Interfaces = "/sys/class/net";
    private const string LinkToParent = "twin0";
    private const string Functions = "/sys/bus/pci/devices";

    /// <summary>More do not fit into one message to kernel B beside all else.</summary>
    private const int MostNeighbours = 200;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(1);
    private volatile GuestInterface? _interface;
    private volatile NetworkConfiguration? _configuration;

    /// <summary>The interface that carries <see cref="Configuration"/>; null before this kernel owns one.</summary>
    public GuestInterface? Interface => _interface;

    public NetworkConfiguration? Configuration => _configuration;

    /// <summary>Interfaces on PCI functions, those of virtio first, then by name.</summary>
    /// <param name="which">Of these names. Null: all.</param>
    public IReadOnlyList<GuestInterface> List(Func<string, bool>? which = null) =>
    [
        .. files.List(Interfaces)
            .Where(name => which?.Invoke(name) ?? true)
            .Select(name => (Name: name, Path: files.Resolve($"{Interfaces}/{name}")))
            .Where(found => found.Path is not null)
            .OrderBy(found => found.Path!.Contains("/virtio", StringComparison.Ordinal) ? 0 : 1)
            .ThenBy(found => found.Name, StringComparer.Ordinal)
            .Select(found => Look(found.Name, found.Path!))
            .OfType<GuestInterface>(),
    ];

    /// <summary>
    /// Interfaces that this kernel does not serve on: down, on a function of their own. What hot-plug brings for kernel B is one; a card
    /// that someone has put up is not.
    /// </summary>
    public IReadOnlyList<GuestInterface> Spare()
    {
        IReadOnlyList<GuestInterface> all = List();
        HashSet<PciFunction> used = [.. all.Where(each => each.Name == Interface?.Name || IsUp(each.Name)).Select(each => each.Function)];
        return [.. all.Where(each => !used.Contains(each.Function)).DistinctBy(each => each.Function)];
    }

    /// <summary>Configures the first interface. False: there is none.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public bool ConfigureFirst(NetworkConfiguration configuration)
    {
        if (List() is not [GuestInterface first, ..])
        {
            return false;
        }

        Configure(first, configuration, []);
        return true;
    }

    /// <summary>Waits for the interface with this address, then configures it. Inside the gap: it looks at once.</summary>
    /// <param name="neighbours">Of it, that are known.</param>
    /// <param name="before">What is to be done with it, by its name, before it comes up.</param>
    /// <exception cref="TimeoutException">No such interface within <paramref name="patience"/>.</exception>
    public void ConfigureByMac(string mac, NetworkConfiguration configuration, TimeSpan patience, IReadOnlyList<Neighbour>? neighbours = null, Action<string>? before = null)
    {
        GuestInterface found = WaitByMac(mac, patience);
        before?.Invoke(found.Name);
        Configure(found, configuration, neighbours ?? []);
    }

    /// <summary>Waits for the interface with this address, as above.</summary>
    /// <exception cref="TimeoutException">No such interface within <paramref name="patience"/>.</exception>
    public GuestInterface WaitByMac(string mac, TimeSpan patience)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            foreach (string name in files.List(Interfaces))
            {
                if (string.Equals(files.TryRead($"{Interfaces}/{name}/address"), mac, StringComparison.OrdinalIgnoreCase)
                    && files.Resolve($"{Interfaces}/{name}") is { } path && Look(name, path) is { } found)
                {
                    return found;
                }
            }

            if (Stopwatch.GetElapsedTime(started) > patience)
            {
                throw new TimeoutException($"No network interface with address {mac} appeared within {patience.TotalMilliseconds:0} ms.");
            }

            Thread.Sleep(LookEvery);
        }
    }

    /// <summary>Binds the driver of the function anew, as after a kernel beside this one has driven it, and configures the interface.</summary>
    /// <param name="neighbours">Of it, that are known.</param>
    public void Rebind(GuestInterface lost, NetworkConfiguration configuration, TimeSpan patience, IReadOnlyList<Neighbour> neighbours)
    {
        string driver = $"/sys/bus/pci/drivers/{lost.Driver}";
        if (files.Exists($"{Functions}/{lost.Function}/driver"))
        {
            files.Write($"{driver}/unbind", lost.Function.ToString());
        }

        files.Write($"{driver}/bind", lost.Function.ToString());
        ConfigureByMac(lost.Mac, configuration, patience, neighbours);
    }

    /// <summary>The interface goes down, and its card rests. <see cref="Return"/> undoes it. Without an interface there is nothing to do.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Leave()
    {
        if (Interface is { } own)
        {
            stack.TakeDown(own.Name);
        }
    }

    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Return()
    {
        if (Interface is { } own && Configuration is { } configuration)
        {
            Configure(own, configuration, []);
        }
    }

    /// <summary>IFF_UP. What cannot be read counts as up.</summary>
    public bool IsUp(string name) =>
        files.TryRead($"{Interfaces}/{name}/flags") is not { } flags
        || !flags.StartsWith("0x", StringComparison.Ordinal)
        || !uint.TryParse(flags.AsSpan(2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out uint bits)
        || (bits & 1) != 0;

    /// <summary>In an instance, before it owns a card: an address over the link to the parent, which leads outside from there.</summary>
    /// <param name="configuration">A host's address: no network's route, which would stand in the way of the card's. The gateway is the parent.</param>
    /// <exception cref="IOException">There is no link, or the kernel refuses.</exception>
    public void JoinParent(NetworkConfiguration configuration)
    {
        stack.Configure(LinkToParent, configuration with { Gateway = null });
        if (configuration.Gateway is { } parent)
        {
            stack.RouteHost(LinkToParent, parent);
            stack.Configure(LinkToParent, configuration);
        }
    }

    /// <summary>That address and its routes go, when those of the card, which come before them, are there. Without a link there is nothing to do.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void LeaveParent()
    {
        if (files.Exists($"{Interfaces}/{LinkToParent}"))
        {
            stack.TakeDown(LinkToParent);
        }
    }

    /// <summary>Whom this kernel has resolved over the card, the gateway first; at most 200.</summary>
    public IReadOnlyList<Neighbour> Neighbours() => Interface is { } card
        ? [.. Neighbour.Parse(files.TryRead("/proc/net/arp") ?? "", card.Name).OrderByDescending(neighbour => neighbour.Host.Equals(Configuration?.Gateway)).Take(MostNeighbours)]
        : [];

    /// <summary>The other ends of connections that ended with the kernel before are told so, of those over the card.</summary>
    /// <returns>How many were.</returns>
    public int Tickle(IReadOnlyList<TcpConnection> connections) =>
        Configuration is { } own && connections.Where(connection => connection.Local.Equals(own.Address)).ToArray() is { Length: > 0 } ended ? stack.Tickle(own.Address, ended) : 0;

    private void Configure(GuestInterface target, NetworkConfiguration configuration, IReadOnlyList<Neighbour> neighbours)
    {
        stack.Configure(target.Name, configuration, neighbours);
        _configuration = configuration;
        _interface = target;
    }

    private GuestInterface? Look(string name, string path)
    {
        foreach (string part in Enumerable.Reverse(path.Split('/')))
        {
            if (PciFunction.TryParse(part, out PciFunction function))
            {
                string? driver = files.Resolve($"{Functions}/{function}/driver");
                return new GuestInterface(name, files.TryRead($"{Interfaces}/{name}/address") ?? "", function, driver is null ? "virtio-pci" : Path.GetFileName(driver));
            }
        }

        return null;
    }
}
