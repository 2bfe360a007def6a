using System.Diagnostics;
using System.Net.Sockets;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Tests.Machines;

public sealed class QmpTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TemporaryDirectory _directory = new();
    private readonly Process _qemu;
    private readonly string _socket;

    public QmpTests()
    {
        _socket = _directory.File("q");
        _qemu = Process.Start("qemu-system-x86_64", ["-machine", "none", "-nodefaults", "-display", "none", "-S", "-no-shutdown", "-qmp", $"unix:{_socket},server=on,wait=off"]);
    }

    public void Dispose()
    {
        _qemu.Kill();
        _qemu.WaitForExit();
        _qemu.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task It_asks_hears_events_and_notices_the_end()
    {
        await using Qmp qmp = await ConnectAsync();
        (await qmp.ExecuteAsync("query-status", null, Patience, default))!["status"]!.GetValue<string>().ShouldBe("prelaunch");
        await qmp.ExecuteAsync("cont", null, Patience, default);
        (await qmp.Events.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience)).Name.ShouldBe("RESUME");
        await qmp.ExecuteAsync("quit", null, Patience, default);
        await qmp.Closed.WaitAsync(Patience);
        await Should.ThrowAsync<QmpException>(() => qmp.ExecuteAsync("query-status", null, Patience, default));
    }

    [Fact]
    public async Task A_refusal_carries_what_QEMU_said()
    {
        await using Qmp qmp = await ConnectAsync();
        (await Should.ThrowAsync<QmpException>(() => qmp.ExecuteAsync("no-such-command", null, Patience, default))).Message.ShouldContain("no-such-command");
    }

    [Fact]
    public async Task A_second_client_gets_no_greeting_and_is_told_so()
    {
        await using Qmp first = await ConnectAsync();
        await Should.ThrowAsync<TimeoutException>(() => Qmp.ConnectAsync(_socket, TimeSpan.FromMilliseconds(300), default));
    }

    [Fact]
    public async Task Killing_QEMU_fails_who_waits()
    {
        await using Qmp qmp = await ConnectAsync();
        _qemu.Kill();
        await qmp.Closed.WaitAsync(Patience);
        await Should.ThrowAsync<QmpException>(() => qmp.ExecuteAsync("query-status", null, Patience, default));
    }

    [Fact]
    public async Task Something_else_that_listens_is_not_taken_for_QEMU()
    {
        string path = _directory.File("other");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Task<Qmp> connecting = Qmp.ConnectAsync(path, Patience, default);
        using (Socket other = await listener.AcceptAsync(TestContext.Current.CancellationToken))
        {
            await other.SendAsync("HTTP/1.1 400 Bad Request\r\n"u8.ToArray());
            await Should.ThrowAsync<QmpException>(() => connecting);
        }
    }

    private async Task<Qmp> ConnectAsync()
    {
        await Eventually.Async(Listens);
        return await Qmp.ConnectAsync(_socket, Patience, TestContext.Current.CancellationToken);
    }

    /// <summary>The file exists from bind(2) on; a connection is refused until listen(2), which sets __SO_ACCEPTCON.</summary>
    private bool Listens() =>
        File.ReadLines("/proc/net/unix").Any(line => line.Contains(" 00010000 ", StringComparison.Ordinal) && line.EndsWith(_socket, StringComparison.Ordinal));
}
