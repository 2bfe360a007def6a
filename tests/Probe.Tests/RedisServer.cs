using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.Probe.Writes;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>A real Redis on loopback that keeps nothing on disk, and ends with the test process however that goes.</summary>
internal sealed class RedisServer : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private Process process;

    private RedisServer(int port) => (Port, process) = (port, Launch(port));

    public int Port { get; }

    public IPEndPoint EndPoint => new(IPAddress.Loopback, Port);

    public static RedisServer Start()
    {
        var server = new RedisServer(FreePort.Tcp());
        server.Await();
        return server;
    }

    public IReadOnlyList<string?> Ask(params string[] command)
    {
        using var connection = new RedisConnection(EndPoint, Patience);
        return connection.Ask(command);
    }

    public void Kill()
    {
        process.StandardInput.Close();
        process.WaitForExit();
        process.Dispose();
    }

    /// <summary>After <see cref="Kill"/>: without the data.</summary>
    public void StartAgain()
    {
        process = Launch(Port);
        Await();
    }

    public void Dispose() => Kill();

    /// <summary>The shell ends the server when its standard input does, which is when this process ends.</summary>
    private static Process Launch(int port) => Process.Start(new ProcessStartInfo("sh",
        ["-c", "redis-server --bind 127.0.0.1 --save '' --appendonly no --repl-diskless-load on-empty-db --dir /tmp --dbfilename \"none-$$.rdb\" --port \"$1\" > /dev/null & read -r _; kill -9 $!; wait", "sh", port.ToString(CultureInfo.InvariantCulture)])
    {
        RedirectStandardInput = true,
    })!;

    private void Await()
    {
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                Ask("PING").ShouldBe(["PONG"]);
                return;
            }
            catch (Exception e) when (e is SocketException or IOException && Stopwatch.GetElapsedTime(begun) < Patience)
            {
                Thread.Sleep(10);
            }
        }
    }
}
