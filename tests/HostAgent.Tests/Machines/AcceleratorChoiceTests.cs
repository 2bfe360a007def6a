using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Tests.Images;

namespace TwinKernel.Fleet.HostAgent.Tests.Machines;

public sealed class AcceleratorChoiceTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    private readonly TemporaryDirectory _directory = new();
    private readonly string _kernel;

    public AcceleratorChoiceTests()
    {
        TestImages.Write(_directory.Path, "a");
        _kernel = _directory.File("a/vmlinuz");
    }

    private string Memory => _directory.File("accelerator.json");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("kvm", "Kvm")]
    [InlineData("tcg", "Tcg")]
    public async Task What_is_configured_is_taken(string wanted, string expected) =>
        (await Choice("flags : fpu").ChooseAsync(wanted, null, Deadline, default)).Accelerator.ToString().ShouldBe(expected);

    [Fact]
    public async Task Without_the_flag_nothing_is_tried()
    {
        ChosenAccelerator chosen = await Choice("flags\t\t: fpu vmx_but_not svmlike", qemu: "/nonexistent").ChooseAsync("auto", _kernel, Deadline, default);
        chosen.ShouldBe(new ChosenAccelerator(Accelerator.Tcg, $"{_directory.File("cpuinfo")} has neither vmx nor svm"));
    }

    [Fact]
    public async Task A_device_that_does_not_open_is_no_KVM()
    {
        ChosenAccelerator chosen = await Choice("flags : fpu vmx", kvm: _directory.File("none")).ChooseAsync("auto", _kernel, Deadline, default);
        chosen.Accelerator.ShouldBe(Accelerator.Tcg);
        chosen.Reason.ShouldContain("does not open");
    }

    [Fact]
    public async Task A_KVM_that_hangs_leads_to_emulation_once_per_boot_of_the_host()
    {
        string hangs = Script("exec sleep 600");
        AcceleratorChoice choice = Choice("flags : fpu svm", kvm: "/dev/null", qemu: hangs);
        ChosenAccelerator chosen = await choice.ChooseAsync("auto", _kernel, Deadline, default);
        chosen.Accelerator.ShouldBe(Accelerator.Tcg);
        chosen.Reason.ShouldContain("printed nothing within");
        (await Choice("flags : fpu svm", kvm: "/dev/null", qemu: "/nonexistent").ChooseAsync("auto", _kernel, Deadline, default)).Reason.ShouldEndWith("(remembered)");

        await File.WriteAllTextAsync(Memory, """{"hostBootId":"another boot","accelerator":"Kvm","reason":"then"}""");
        (await choice.ChooseAsync("auto", _kernel, Deadline, default)).Reason.ShouldContain("printed nothing within");
    }

    [Fact]
    public async Task A_QEMU_that_ends_is_told_with_its_words()
    {
        ChosenAccelerator chosen = await Choice("flags : fpu svm", kvm: "/dev/null", qemu: Script("echo no such luck >&2; exit 1")).ChooseAsync("auto", _kernel, Deadline, default);
        chosen.Reason.ShouldContain("no such luck");
    }

    [Fact]
    public async Task With_the_real_device_a_kernel_must_have_printed_a_line()
    {
        Assert.SkipUnless(File.Exists("/dev/kvm"), "This machine has no /dev/kvm.");
        Stopwatch took = Stopwatch.StartNew();
        ChosenAccelerator chosen = await Choice("flags : fpu vmx", kvm: "/dev/kvm", qemu: "qemu-system-x86_64").ChooseAsync("auto", _kernel, Deadline, default);
        took.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30));
        bool hasFlag = File.ReadAllText("/proc/cpuinfo").Split([' ', '\n']).Any(w => w is "vmx" or "svm");
        if (!hasFlag)
        {
            chosen.Accelerator.ShouldBe(Accelerator.Tcg, chosen.Reason);
        }

        File.Exists(Memory).ShouldBe(!chosen.Reason.Contains("does not open", StringComparison.Ordinal));
    }

    private AcceleratorChoice Choice(string cpuinfo, string kvm = "/dev/null", string qemu = "qemu-system-x86_64")
    {
        File.WriteAllText(_directory.File("cpuinfo"), $"processor : 0\n{cpuinfo}\n");
        return new AcceleratorChoice(qemu, Memory, NullLogger.Instance) { CpuInfo = _directory.File("cpuinfo"), KvmDevice = kvm };
    }

    private string Script(string body)
    {
        string path = _directory.File("qemu");
        File.WriteAllText(path, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
