using TwinKernel.Fleet.Grpc.Tests.Echo;

namespace TwinKernel.Fleet.Grpc.Tests.Interop;

/// <summary>Our client against our server.</summary>
public sealed class ClientAgainstKestrelTests : EchoClientContract
{
    private KestrelServer? server;

    protected override async Task<Uri> StartServerAsync() => (server = await KestrelServer.StartEchoAsync()).Address;

    protected override async Task StopServerAsync()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
        }
    }
}

/// <summary>Our client against the reference implementation.</summary>
public sealed class ClientAgainstPythonTests : EchoClientContract
{
    private PythonProgram? server;

    protected override async Task<Uri> StartServerAsync()
    {
        server = PythonProgram.Start("echo_server.py");
        return new Uri($"http://127.0.0.1:{await server.ReadLineAsync()}");
    }

    protected override async Task StopServerAsync()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
        }
    }
}
