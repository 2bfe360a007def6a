using System.Net;
using System.Net.Sockets;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>How to see that a service serves: exactly one of the three is set.</summary>
public sealed record ServiceProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>A port on loopback that accepts connections.</summary>
    public int? Tcp { get; init; }

    /// <summary><c>http://127.0.0.1:PORT/PATH</c>, answered with 200 to 399.</summary>
    public string? Http { get; init; }

    /// <summary>A program that ends with 0 within 2 s.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    public IEnumerable<string> Problems()
    {
        if ((Tcp is null ? 0 : 1) + (Http is null ? 0 : 1) + (Command is null ? 0 : 1) != 1)
        {
            yield return "probe must have one of tcp, http and command";
        }

        if (Tcp is < 1 or > 65535)
        {
            yield return $"probe.tcp is {Tcp}; 1 to 65535 are possible";
        }

        if (Http is not null && !(Uri.TryCreate(Http, UriKind.Absolute, out Uri? uri) && uri.Scheme == "http" && IPAddress.TryParse(uri.Host, out _)))
        {
            yield return $"probe.http is '{Http}'; http://ADDRESS:PORT/PATH is possible, with an address and not a name";
        }

        if (Command is { } command && command is not [['/', ..], ..])
        {
            yield return "probe.command must begin with an absolute path";
        }
    }

    /// <returns>Why the service does not serve; null: it does.</returns>
    public string? Check()
    {
        try
        {
            if (Command is { } command)
            {
                ChildEnd end = ChildProcess.Run(command, [], Patience);
                return end.ExitCode == 0 ? null : $"its probe ended with {end.ExitCode?.ToString() ?? "a deadline"}: {end.LastLines.LastOrDefault()}";
            }

            Uri? uri = Http is null ? null : new Uri(Http);
            using TcpClient client = new() { ReceiveTimeout = (int)Patience.TotalMilliseconds };
            IPAddress address = uri is null ? IPAddress.Loopback : IPAddress.Parse(uri.Host);
            int port = uri?.Port ?? Tcp!.Value;
            if (!client.ConnectAsync(address, port).Wait(Patience))
            {
                return $"nobody accepts a connection on port {port}";
            }

            return uri is null ? null : Ask(client.GetStream(), uri);
        }
        catch (Exception error) when (error is IOException or SocketException or AggregateException)
        {
            return error.InnerException?.Message ?? error.Message;
        }
    }

    private static string? Ask(NetworkStream stream, Uri uri)
    {
        stream.Write(Encoding.ASCII.GetBytes($"GET {uri.PathAndQuery} HTTP/1.0\r\nHost: {uri.Authority}\r\n\r\n"));
        using StreamReader reader = new(stream, Encoding.ASCII);
        string answer = reader.ReadLine() ?? "";
        return answer.Split(' ') is ["HTTP/1.0" or "HTTP/1.1", ['2' or '3', _, _], ..] ? null : $"{uri} answers '{answer}'";
    }
}
