using System.Net;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using TwinKernel.Fleet.GuestAgent.Probation;

namespace TwinKernel.Fleet.GuestAgent.Tests.Probation;

/// <summary>On the loopback interface of a network namespace of its own. Needs root, and a kernel with sch_prio and sch_plug, as Debian's are.</summary>
public sealed partial class OutputPlugTests
{
    private const int Loopback = 1;
    private const int NewNetwork = 0x40000000;

    [Fact]
    public void Packets_leave_batch_by_batch_and_the_agents_own_at_once() => InNamespace(() =>
    {
        using OutputPlug plug = InstallOrSkip();
        new TwinKernel.Fleet.GuestAgent.Services.IoctlNetworkStack().BringUpLoopback();
        using Socket service = Bound();
        using Socket agent = Bound();
        using Socket client = Bound();
        client.ReceiveTimeout = 300;
        OutputPlug.Exempt(agent);

        void Send(Socket from, byte what) => from.SendTo([what], client.LocalEndPoint!);
        byte Receive()
        {
            byte[] buffer = new byte[2];
            return client.Receive(buffer) == 1 ? buffer[0] : (byte)0;
        }

        Send(service, 1);
        Receive().ShouldBe((byte)1);

        plug.Buffer();
        Send(service, 2);
        Send(agent, 3);
        Receive().ShouldBe((byte)3);
        plug.Buffer();
        Send(service, 4);
        Should.Throw<SocketException>(() => Receive());
        plug.ReleaseOne();
        Receive().ShouldBe((byte)2);
        Should.Throw<SocketException>(() => Receive());

        // An agent that is started again finds it closed, and lets nothing go by looking.
        using OutputPlug again = OutputPlug.Install(Loopback);
        Should.Throw<SocketException>(() => Receive());
        again.Open();
        Receive().ShouldBe((byte)4);

        again.Buffer();
        OutputPlug.Remove(Loopback);
        OutputPlug.Remove(Loopback);
        Send(service, 5);
        Receive().ShouldBe((byte)5);
    });

    [Fact]
    public void An_interface_that_is_not_there_is_told() => InNamespace(() =>
        Should.Throw<IOException>(() => OutputPlug.Install(4711)).Message.ShouldContain("on interface 4711: ENODEV"));

    private static OutputPlug InstallOrSkip()
    {
        try
        {
            return OutputPlug.Install(Loopback);
        }
        catch (IOException error) when (error.Message.Contains("ENOENT (the kernel has none", StringComparison.Ordinal))
        {
            Assert.Skip(error.Message);
            throw;
        }
    }

    private static Socket Bound()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static void InNamespace(Action test)
    {
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                if (Unshare(NewNetwork) != 0)
                {
                    Assert.Skip("a network namespace needs root");
                }

                test();
            }
            catch (Exception error)
            {
                failure = ExceptionDispatchInfo.Capture(error);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);
}
