using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent;

/// <summary>The command line: <c>[--module PATH] [--port N] [--echo-port N]</c>.</summary>
internal sealed record AgentOptions
{
    /// <summary>The module to load; null: it is loaded already.</summary>
    public string? Module { get; init; }

    /// <summary>TCP port of the gRPC service.</summary>
    public int Port { get; init; } = 7700;

    /// <summary>UDP port of the echo service.</summary>
    public int EchoPort { get; init; } = Services.UdpEcho.Port;

    /// <exception cref="FormatException">All that is wrong with the arguments.</exception>
    public static AgentOptions Parse(IReadOnlyList<string> arguments)
    {
        AgentOptions options = new();
        List<string> problems = [];
        for (int i = 0; i < arguments.Count; i += 2)
        {
            string? value = i + 1 < arguments.Count ? arguments[i + 1] : null;
            switch (arguments[i])
            {
                case "--module" when value is not null:
                    options = options with { Module = value };
                    break;
                case "--port" when TryPort(value, out int port):
                    options = options with { Port = port };
                    break;
                case "--echo-port" when TryPort(value, out int port):
                    options = options with { EchoPort = port };
                    break;
                default:
                    problems.Add($"'{arguments[i]} {value}'");
                    break;
            }
        }

        return problems.Count == 0
            ? options
            : throw new FormatException($"Not understood: {string.Join(", ", problems)}. Usage: twinkernel-agent [--module PATH] [--port 1..65535] [--echo-port 1..65535]");
    }

    private static bool TryPort(string? text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and < 65536;
}
