namespace TwinKernel.Fleet.HostAgent.Configuration;

/// <summary>Section <c>Host</c> of the configuration. Checked at start by <see cref="AgentOptionsValidation"/>.</summary>
public sealed class AgentOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Host";

    /// <summary>Name of this host in the fleet: lower-case letters, digits, dots and hyphens, 1 to 63 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>Directory of this agent's own: machine records, journals, sockets, console logs. Created with mode 0700.</summary>
    public string StateDirectory { get; set; } = "";

    /// <summary>Directory whose subdirectories are images (<c>manifest.json</c> and its parts).</summary>
    public string ImageDirectory { get; set; } = "";

    /// <summary>
    /// Directory of public keys, <c>*.pem</c>, of which one must have signed an image (<c>images/sign</c>). Absolute. Empty, the default: images need no signature.
    /// Read at start.
    /// </summary>
    public string ImageKeys { get; set; } = "";

    /// <summary><c>auto</c>, <c>kvm</c> or <c>tcg</c>. <c>auto</c> takes KVM only where a kernel really boots with it.</summary>
    public string Accelerator { get; set; } = "auto";

    /// <summary>The program that runs a machine, a name on the path or an absolute path.</summary>
    public string Qemu { get; set; } = "qemu-system-x86_64";

    /// <summary>Time between two heartbeats, 100 ms to 5 min; 5 s.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether the machines end with the agent. False: they outlive it, and the next agent adopts them.</summary>
    public bool StopGuestsOnExit { get; set; }

    /// <summary>How long a kernel may take to print its first line under KVM before KVM counts as hanging, 1 s to 2 min; 8 s.</summary>
    public TimeSpan AcceleratorProbeDeadline { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>Time between two probes of the outage observer, 100 µs to 1 s; 5 ms.</summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>How long kernel B must serve before its probation has been stood, 100 ms to 10 min; 2 s.</summary>
    public TimeSpan ProbationSettling { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest gap that kernel B may show in its probation; less than <see cref="ProbationSettling"/>; 1 s.</summary>
    public TimeSpan ProbationMaxGap { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Silence of kernel B after which the parked kernel A goes on: 10 ms to 60 s, or zero for the guest agent's default.</summary>
    public TimeSpan CutOverPatience { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// Directory of executables that gates of kind <c>host-command</c> may run here, as the agent's user. Absolute; writable by nobody but that user and
    /// root. Empty, the default: none.
    /// </summary>
    public string GateDirectory { get; set; } = "";

    /// <summary>Where this host is and what it is for, such as region, zone, rack, pool; rollouts select and limit by them. At most 64.</summary>
    public IDictionary<string, string> Labels { get; } = new Dictionary<string, string>();

    /// <summary>The machines that shall run here.</summary>
    public IList<GuestOptions> Guests { get; } = [];
}

/// <summary>One machine that shall run on this host.</summary>
public sealed class GuestOptions
{
    /// <summary>Unique on this host: lower-case letters, digits, dots and hyphens, 1 to 63 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>Name or digest of the image for the first boot. Later boots use the image that ran last.</summary>
    public string Image { get; set; } = "";

    /// <summary>Virtual CPUs, 1 to 64; a twin boot needs two.</summary>
    public int Cpus { get; set; } = 2;

    /// <summary>Memory in MiB, 256 to 1,048,576.</summary>
    public int MemoryMiB { get; set; } = 2048;

    /// <summary>
    /// UDP port on 127.0.0.1 that leads to the new kernel's service by the card of its own that is plugged in for an upgrade, from Transfer
    /// to Commit; without that card no upgrade goes on. 0, the default: no port leads there.
    /// </summary>
    public int StandbyPort { get; set; }

    /// <summary>TCP ports on the host's loopback that lead to the guest's services: <c>HOSTPORT:GUESTPORT</c> each, 1 to 65535.</summary>
    public IList<string> Forwards { get; } = [];

    /// <summary>Besides the host's; one of the same key hides the host's. At most 64.</summary>
    public IDictionary<string, string> Labels { get; } = new Dictionary<string, string>();
}

/// <summary>Section <c>Broker</c>.</summary>
public sealed class BrokerOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Broker";

    /// <summary><c>amqp://user:password@host:port/vhost</c> or <c>amqps://…</c>. A secret: from the environment, never logged.</summary>
    public string Uri { get; set; } = "";
}
