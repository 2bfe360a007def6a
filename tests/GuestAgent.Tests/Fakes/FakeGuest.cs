using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Tests.Fakes;

/// <summary>
/// A guest's /proc and /sys in a directory of its own: CPUs, memory blocks of 128 MiB, a virtio network card. Writes are kept as
/// the kernel would show them, and can be made to fail as the kernel makes them fail.
/// </summary>
public sealed class FakeGuest : KernelFiles, IDisposable
{
    public const ulong MiB = 1ul << 20;
    public const ulong BlockBytes = 128 * MiB;
    public const string Mac = "52:54:00:12:34:56";
    public const string Function = "0000:00:02.0";
    public const string SecondFunction = "0000:01:00.0";
    public const string SecondMac = "52:54:00:12:34:57";
    private readonly string _root;

    private FakeGuest(string root) : base(root) => _root = root;

    /// <summary>Attributes whose writing fails, with the value that fails; null: any.</summary>
    public Dictionary<string, string?> Refusals { get; } = [];

    /// <summary>Every write that went through, as "path=value".</summary>
    public List<string> Writes { get; } = [];

    /// <summary>What happens right behind a write.</summary>
    public Action? AfterWrite { get; set; }

    /// <summary>What the module does about a write; throws to refuse.</summary>
    public Action<string, string>? OnWrite { get; set; }

    public static FakeGuest Create(int cpus = 2, int blocks = 16, string commandLine = "console=ttyS0,115200 twinkernel.net=10.0.2.15/24,10.0.2.2")
    {
        FakeGuest guest = new(Directory.CreateTempSubdirectory("twin-guest-").FullName);
        guest.Put("/proc/cmdline", commandLine + "\n");
        guest.Put("/proc/meminfo", $"MemTotal:        {(ulong)blocks * BlockBytes / 1024} kB\nMemFree:         1 kB\nMemAvailable:    {((ulong)blocks * BlockBytes / 1024) - 300_000} kB\n");
        guest.Put("/proc/mounts", "rootfs / rootfs rw 0 0\nrun /run tmpfs rw 0 0\n");
        guest.Put("/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        guest.Put("/proc/sys/kernel/osrelease", "6.1.0-test\n");
        guest.Put("/sys/kernel/kexec_loaded", "0\n");
        guest.Put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        guest.Put("/sys/devices/system/cpu/present", $"0-{cpus - 1}\n");
        guest.Put("/sys/devices/system/cpu/online", $"0-{cpus - 1}\n");
        for (int cpu = 1; cpu < cpus; cpu++)
        {
            guest.Put($"/sys/devices/system/cpu/cpu{cpu}/online", "1\n");
        }

        guest.Put("/sys/devices/system/memory/block_size_bytes", $"{BlockBytes:x}\n");
        for (uint block = 0; block < blocks; block++)
        {
            guest.AddBlock(block, online: true);
        }

        guest.AddCard();
        return guest;
    }

    public void AddBlock(uint number, bool online)
    {
        string block = $"/sys/devices/system/memory/memory{number}";
        Put($"{block}/state", online ? "online\n" : "offline\n");
        Put($"{block}/removable", "1\n");
        Put($"{block}/valid_zones", online ? "DMA32\n" : "DMA32 Movable\n");
    }

    /// <summary>Puts the upper half of CPUs and blocks on a second NUMA node.</summary>
    public void SplitIntoNodes(int cpus, int blocks)
    {
        for (int cpu = 0; cpu < cpus; cpu++)
        {
            Put($"/sys/devices/system/cpu/cpu{cpu}/node{cpu * 2 / cpus}/distance", "");
        }

        for (int block = 0; block < blocks; block++)
        {
            Put($"/sys/devices/system/memory/memory{block}/node{block * 2 / blocks}/distance", "");
        }
    }

    public void AddCard(string name = "eth0")
    {
        string device = $"/sys/devices/pci0000:00/{Function}/virtio0/net/{name}";
        Put($"{device}/address", Mac + "\n");
        Link($"/sys/class/net/{name}", device);
        Put("/sys/bus/pci/drivers/virtio-pci/bind", "");
        Put("/sys/bus/pci/drivers/virtio-pci/unbind", "");
        Link($"/sys/devices/pci0000:00/{Function}/driver", "/sys/bus/pci/drivers/virtio-pci");
        Link($"/sys/bus/pci/devices/{Function}", $"/sys/devices/pci0000:00/{Function}");
    }

    /// <summary>A second card, down, with its driver.</summary>
    public void AddSecondCard()
    {
        string device = $"/sys/devices/pci0000:00/0000:00:04.0/{SecondFunction}";
        Put($"{device}/virtio1/net/eth1/address", SecondMac + "\n");
        Put($"{device}/virtio1/net/eth1/flags", "0x1002\n");
        Link("/sys/class/net/eth1", $"{device}/virtio1/net/eth1");
        Link($"{device}/driver", "/sys/bus/pci/drivers/virtio-pci");
        Link($"/sys/bus/pci/devices/{SecondFunction}", device);
    }

    public void BindCard(PciFunction function) => Link($"/sys/bus/pci/devices/{function}/driver", "/sys/bus/pci/drivers/virtio-pci");

    public void RemoveCard(string name = "eth0") => Directory.Delete(At($"/sys/class/net/{name}"));

    public void Put(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), content);
    }

    public void Link(string path, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        if (!Path.Exists(At(path)))
        {
            Directory.CreateSymbolicLink(At(path), At(target));
        }
    }

    public bool IsOnline(uint block) => Read($"/sys/devices/system/memory/memory{block}/state") == "online";

    public bool IsCpuOnline(uint cpu) => cpu == 0 || Read($"/sys/devices/system/cpu/cpu{cpu}/online") == "1";

    public uint[] OfflineBlocks() => [.. new MemoryBlocks(this).List().Where(block => !block.Online).Select(block => block.Number)];

    public override void Write(string path, string value)
    {
        if (Refusals.TryGetValue(path, out string? refused) && (refused is null || refused == value))
        {
            throw new IOException($"'{value}' to {path}: Device or resource busy");
        }

        OnWrite?.Invoke(path, value);
        if (path.EndsWith("/unbind", StringComparison.Ordinal))
        {
            Directory.Delete(At($"/sys/bus/pci/devices/{value}/driver"));
        }
        else if (path.EndsWith("/bind", StringComparison.Ordinal))
        {
            Link($"/sys/bus/pci/devices/{value}/driver", Path.GetDirectoryName(path)!);
        }

        base.Write(path, value);
        File.WriteAllText(At(path), (value.StartsWith("online", StringComparison.Ordinal) ? "online" : value) + "\n");
        Writes.Add($"{path}={value}");
        AfterWrite?.Invoke();
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
