using System.Diagnostics;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>What runs the guest's instructions.</summary>
internal enum Accelerator
{
    /// <summary>Software emulation.</summary>
    Tcg,

    /// <summary>The host's processor.</summary>
    Kvm,
}

/// <summary>What was chosen, and why, for people.</summary>
internal sealed record ChosenAccelerator(Accelerator Accelerator, string Reason);

/// <summary>
/// Chooses the accelerator for <c>auto</c>. A <c>/dev/kvm</c> that opens, creates a machine and then hangs every
/// stock kernel exists, so the flag in cpuinfo and the device are not enough: a kernel must have printed a line.
/// The probe's answer is kept in the state directory until the host boots again.
/// </summary>
internal sealed partial class AcceleratorChoice(string qemu, string rememberedIn, ILogger logger)
{
    public string CpuInfo { get; init; } = "/proc/cpuinfo";

    public string KvmDevice { get; init; } = "/dev/kvm";

    /// <param name="wanted"><c>auto</c>, <c>kvm</c> or <c>tcg</c>; the latter two are taken as they are.</param>
    /// <param name="kernel">A bzImage for the boot probe; null when there is none, which chooses software emulation for now.</param>
    /// <param name="deadline">For the boot probe.</param>
    public async Task<ChosenAccelerator> ChooseAsync(string wanted, string? kernel, TimeSpan deadline, CancellationToken cancellationToken)
    {
        ChosenAccelerator chosen = wanted switch
        {
            "kvm" => new(Accelerator.Kvm, "configured"),
            "tcg" => new(Accelerator.Tcg, "configured"),
            _ when !HasFlag() => new(Accelerator.Tcg, $"{CpuInfo} has neither vmx nor svm"),
            _ when OpenError() is { } error => new(Accelerator.Tcg, $"{KvmDevice} does not open: {error}"),
            _ when Remembered() is { } remembered => remembered,
            _ when kernel is null => new(Accelerator.Tcg, "no image to try KVM with"),
            _ => await ProbeAsync(kernel, deadline, cancellationToken).ConfigureAwait(false),
        };
        Log.Chosen(logger, chosen.Accelerator, chosen.Reason);
        return chosen;
    }

    private bool HasFlag()
    {
        foreach (string line in File.ReadLines(CpuInfo))
        {
            if (line.StartsWith("flags", StringComparison.Ordinal))
            {
                return line.Split(' ', '\t').Any(flag => flag is "vmx" or "svm");
            }
        }

        return false;
    }

    private string? OpenError()
    {
        try
        {
            File.OpenHandle(KvmDevice, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private ChosenAccelerator? Remembered()
    {
        Memory? memory = DurableFile.ReadJson<Memory>(rememberedIn);
        return memory is not null && memory.HostBootId == ProcessIdentity.CurrentHostBootId
            ? new(memory.Accelerator, memory.Reason + " (remembered)")
            : null;
    }

    /// <summary>Boots the kernel without a root file system: its first line is enough, its panic is expected.</summary>
    private async Task<ChosenAccelerator> ProbeAsync(string kernel, TimeSpan deadline, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(qemu)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            ArgumentList =
            {
                "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256M", "-no-user-config", "-nodefaults",
                "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel,
                "-append", "console=ttyS0,115200 earlyprintk=serial,ttyS0,115200 panic=-1",
            },
        };
        MachineStarter.KeepSecretsOut(start);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(deadline);
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{qemu} did not start.");
        ChosenAccelerator chosen;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            bool booted = false;
            while (!booted && await process.StandardOutput.ReadLineAsync(limit.Token).ConfigureAwait(false) is { } line)
            {
                booted = line.Contains("Linux version", StringComparison.Ordinal);
            }

            chosen = booted
                ? new(Accelerator.Kvm, "a kernel booted with KVM")
                : new(Accelerator.Tcg, $"QEMU ended before a kernel printed a line with KVM: {(await errors.WaitAsync(limit.Token).ConfigureAwait(false)).Trim()}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            chosen = new(Accelerator.Tcg, $"a kernel printed nothing within {deadline} with KVM");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        DurableFile.WriteJson(rememberedIn, new Memory(ProcessIdentity.CurrentHostBootId, chosen.Accelerator, chosen.Reason));
        return chosen;
    }

    private sealed record Memory(string HostBootId, Accelerator Accelerator, string Reason);

    private static partial class Log
    {
        [LoggerMessage(4000, LogLevel.Information, "Accelerator: {Accelerator} ({Reason})")]
        public static partial void Chosen(ILogger logger, Accelerator accelerator, string reason);
    }
}
