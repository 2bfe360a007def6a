using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Tests.Machine;

/// <summary>Real processes: a group that stands still, and a signal that waits for its program.</summary>
public sealed class ProcessHandleTests
{
    private const int Continue = 18;
    private const int User = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void A_stopped_group_does_nothing_until_it_is_let_go()
    {
        string file = Path.GetTempFileName();
        ProcessHandle process = ChildProcess.Detach(["/bin/sh", "-c", $"(while :; do echo >> {file}; done) & while :; do echo >> {file}; done"], [], "/dev/null");
        try
        {
            Eventually(() => new FileInfo(file).Length > 100);
            process.StopGroup(Patience);
            long stopped = new FileInfo(file).Length;
            Thread.Sleep(100);
            new FileInfo(file).Length.ShouldBe(stopped);
            process.SignalGroup(Continue);
            Eventually(() => new FileInfo(file).Length > stopped);
        }
        finally
        {
            process.KillGroup();
            process.WaitForExit(Patience).ShouldBe(128 + 9);
            File.Delete(file);
        }
    }

    [Fact]
    public void A_signal_that_comes_before_its_program_can_take_it_waits()
    {
        ProcessHandle process = ChildProcess.Detach(["/bin/sh", "-c", "exec sleep 60"], [], "/dev/null", User);
        process.Signal(User);
        process.WaitForExit(TimeSpan.FromMilliseconds(300)).ShouldBeNull();
        File.ReadAllText($"/proc/{process.Pid}/status").ShouldContain("ShdPnd:\t0000000000000200");
        process.KillGroup();
        process.WaitForExit(Patience).ShouldNotBeNull();
    }

    private static void Eventually(Func<bool> condition)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Stopwatch.GetElapsedTime(started).ShouldBeLessThan(Patience);
            Thread.Sleep(5);
        }
    }
}
