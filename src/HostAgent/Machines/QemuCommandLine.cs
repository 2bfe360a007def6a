using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>What a machine is made of.</summary>
internal sealed record MachinePlan
{
    public required string Host { get; init; }
    public required string Guest { get; init; }
    public required Guid Uuid { get; init; }
    public required int Cpus { get; init; }
    public required int MemoryMiB { get; init; }
    public required Accelerator Accelerator { get; init; }
    public required string KernelPath { get; init; }
    public required string InitrdPath { get; init; }
    public required string CommandLine { get; init; }

    /// <summary>HOSTPORT:GUESTPORT each.</summary>
    public IEnumerable<string> Forwards { get; init; } = [];
}

/// <summary>The arguments of QEMU for a machine. Pure.</summary>
internal static class QemuCommandLine
{
    /// <summary>QEMU's id of the network of the guest's own card.</summary>
    public const string Network = "net0";

    /// <summary>The guest's address there.</summary>
    public const string Address = "10.0.2.15";

    /// <summary>TCP port of the guest's agent, in the guest.</summary>
    public const int AgentPort = 7700;

    /// <summary>UDP port of the observed service, in the guest.</summary>
    public const int ServicePort = 7777;

    /// <summary>
    /// The arguments. Choices that matter to a twin boot:
    /// <list type="bullet">
    /// <item><c>-no-reboot</c>: a reset ends the machine. It must not boot again unseen, on whatever kernel was given first.</item>
    /// <item>No disk, no display, no second bus master (no virtio-rng: its queue would stay with a kernel that is gone; <c>max</c> and <c>host</c> have RDRAND).</item>
    /// <item>An empty slot (<see cref="StandbySlot"/>): a port that is not there from the start cannot be plugged in later.</item>
    /// <item>Host ports 0: the kernel of the host chooses free ones; <c>info usernet</c> tells which.</item>
    /// <item>Sandbox: <c>spawn</c> and <c>elevateprivileges</c> stay out of it because QEMU 7.2 refuses or dies with them when it daemonizes.</item>
    /// </list>
    /// </summary>
    public static IReadOnlyList<string> Build(MachinePlan plan, MachineFiles files)
    {
        List<string> arguments =
        [
            "-name", $"guest={plan.Guest}",
            "-uuid", plan.Uuid.ToString(),
            "-machine", "q35",
            "-accel", plan.Accelerator == Accelerator.Kvm ? "kvm" : "tcg,thread=multi",
            "-cpu", plan.Accelerator == Accelerator.Kvm ? "host" : "max",
            "-smp", string.Create(CultureInfo.InvariantCulture, $"cpus={plan.Cpus}"),
            "-m", string.Create(CultureInfo.InvariantCulture, $"size={plan.MemoryMiB}M"),
            "-no-user-config", "-nodefaults",
            "-display", "none",
            "-no-reboot",
            "-daemonize", "-pidfile", files.Pid,
            "-sandbox", "on,obsolete=deny,resourcecontrol=deny",
            "-kernel", plan.KernelPath,
            "-initrd", plan.InitrdPath,
            "-append", plan.CommandLine,
            "-netdev", $"user,id={Network},ipv6=off,hostfwd=tcp:127.0.0.1:0-{Address}:{AgentPort},hostfwd=udp:127.0.0.1:0-{Address}:{ServicePort}{string.Concat(plan.Forwards.Select(Forward))}",
            "-device", $"virtio-net-pci,netdev={Network},mac={Mac(plan.Host, plan.Guest)},romfile=",
            "-device", $"pcie-root-port,id={StandbySlot.Port},chassis=1,slot=1",
            "-fw_cfg", $"name=opt/twinkernel/token,file={Escape(files.Token)}",
            "-chardev", $"socket,id=qmp,path={Escape(files.Qmp)},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control",
        ];
        for (int i = 0; i < 2; i++)
        {
            arguments.AddRange(
            [
                "-chardev", $"socket,id=console{i + 1},path={Escape(files.ConsoleSockets[i])},server=on,wait=off,logfile={Escape(files.ConsoleLogs[i])},logappend=on",
                "-serial", $"chardev:console{i + 1}",
            ]);
        }

        return arguments;
    }

    /// <summary>An address of QEMU's range that is the same at every start of this guest on this host.</summary>
    public static string Mac(string host, string guest)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{host}/{guest}"));
        return $"52:54:00:{hash[0]:x2}:{hash[1]:x2}:{hash[2]:x2}";
    }

    private static string Forward(string ports) => ports.Split(':') is [var host, var guest] ? $",hostfwd=tcp:127.0.0.1:{host}-{Address}:{guest}" : "";

    /// <summary>A comma ends a value in QEMU's options; a doubled one is a comma.</summary>
    private static string Escape(string path) => path.Replace(",", ",,", StringComparison.Ordinal);
}
