using System.IO.Pipes;
using System.Net.Sockets;
using System.Text;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Tests.Machines;

/// <summary>The socket of a serial port as QEMU has it: one client is served.</summary>
public sealed class ConsoleAttachmentTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly TemporaryDirectory _directory = new();
    private readonly AnonymousPipeServerStream _keyboard = new(PipeDirection.Out);
    private readonly AnonymousPipeServerStream _screen = new(PipeDirection.In);
    private readonly StringWriter _errors = new();
    private readonly Socket _port = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public ConsoleAttachmentTests()
    {
        Directory.CreateDirectory(_directory.File("s"));
        _port.Bind(new UnixDomainSocketEndPoint(_directory.File("s/g1.2")));
        _port.Listen(1);
    }

    public void Dispose()
    {
        _port.Dispose();
        _keyboard.Dispose();
        _screen.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Keys_arrive_until_the_escape_key_and_what_the_guest_writes_is_shown()
    {
        Task<int> attached = Attach("g1", "2");
        using Socket guest = await _port.AcceptAsync(TestContext.Current.CancellationToken);

        _keyboard.Write("uname\r"u8);
        (await ReceiveAsync(guest, 6)).ShouldBe("uname\r");
        guest.Send("Linux"u8);
        byte[] shown = new byte[5];
        await _screen.ReadExactlyAsync(shown, TestContext.Current.CancellationToken).AsTask().WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Encoding.ASCII.GetString(shown).ShouldBe("Linux");

        _keyboard.Write("x\u001dy"u8);
        (await attached.WaitAsync(Deadline, TestContext.Current.CancellationToken)).ShouldBe(0);
        (await ReceiveAsync(guest, 2)).ShouldBe("x");
    }

    [Fact]
    public async Task Second_one_is_refused_and_may_come_when_the_first_has_left()
    {
        Task<int> first = Attach("g1", "2");
        using Socket guest = await _port.AcceptAsync(TestContext.Current.CancellationToken);

        (await Attach("g1", "2").WaitAsync(Deadline, TestContext.Current.CancellationToken)).ShouldBe(1);
        _errors.ToString().ShouldContain("Serial port 2 of g1 is attached to already");
        first.IsCompleted.ShouldBeFalse();

        _keyboard.WriteByte(ConsoleAttachment.EscapeKey);
        (await first.WaitAsync(Deadline, TestContext.Current.CancellationToken)).ShouldBe(0);
        Task<int> next = Attach("g1", "2");
        using Socket again = await _port.AcceptAsync(TestContext.Current.CancellationToken);
        _keyboard.WriteByte(ConsoleAttachment.EscapeKey);
        (await next.WaitAsync(Deadline, TestContext.Current.CancellationToken)).ShouldBe(0);
    }

    [Fact]
    public async Task Machine_that_ends_is_told()
    {
        Task<int> attached = Attach("g1", "2");
        (await _port.AcceptAsync(TestContext.Current.CancellationToken)).Dispose();

        (await attached.WaitAsync(Deadline, TestContext.Current.CancellationToken)).ShouldBe(1);
        _errors.ToString().ShouldContain("The machine of g1 ended.");
    }

    [Fact]
    public async Task Machine_that_left_its_socket_behind_does_not_run()
    {
        _port.Dispose();
        File.Create(_directory.File("s/g1.2")).Dispose(); /* a closed listener has removed its own */
        (await Attach("g1", "2")).ShouldBe(1);
        _errors.ToString().ShouldContain("g1 does not run");
    }

    [Theory]
    [InlineData("g1")]
    [InlineData("nobody")]
    [InlineData("../s/g1", "2")]
    public async Task Guest_without_a_machine_is_named(params string[] arguments)
    {
        (await Attach(arguments)).ShouldBe(1);
        _errors.ToString().ShouldContain($"{arguments[0]} has no machine");
    }

    [Theory]
    [InlineData]
    [InlineData("")]
    [InlineData("g1", "3")]
    [InlineData("g1", "2", "1")]
    public async Task Other_arguments_are_a_mistake_of_usage(params string[] arguments) => (await Attach(arguments)).ShouldBe(2);

    private Task<int> Attach(params string[] arguments) => new ConsoleAttachment(
        _directory.Path,
        new AnonymousPipeClientStream(PipeDirection.In, _keyboard.ClientSafePipeHandle),
        new AnonymousPipeClientStream(PipeDirection.Out, _screen.ClientSafePipeHandle),
        _errors).RunAsync(arguments, TestContext.Current.CancellationToken);

    private static async Task<string> ReceiveAsync(Socket socket, int most)
    {
        byte[] bytes = new byte[most];
        int count = 0, part;
        using CancellationTokenSource late = new(Deadline);
        while (count < most && (part = await socket.ReceiveAsync(bytes.AsMemory(count), late.Token)) > 0)
        {
            count += part;
        }

        return Encoding.ASCII.GetString(bytes, 0, count);
    }
}
