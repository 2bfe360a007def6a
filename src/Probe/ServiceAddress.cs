namespace TwinKernel.Fleet.Probe;

/// <summary>What a service is asked in.</summary>
public enum ServiceProtocol
{
    /// <summary>A connection per request; that it is made is the answer. The system answers, not the service.</summary>
    Tcp,

    /// <summary>A line that comes back, on kept connections.</summary>
    TcpEcho,

    /// <summary>A datagram that comes back, as from the guest's agent.</summary>
    UdpEcho,

    /// <summary>GET with status 200, on kept connections.</summary>
    Http,

    /// <summary>PING or SET, on kept connections.</summary>
    Redis,

    /// <summary>SELECT or INSERT, on kept connections.</summary>
    Postgres,
}

/// <summary>Where a service is and how it is asked.</summary>
public sealed record ServiceAddress
{
    /// <summary>The forms, for people.</summary>
    public const string Forms = "tcp://HOST:PORT, tcp-echo://HOST:PORT, udp-echo://HOST:PORT, http://HOST[:PORT]/PATH, redis://HOST[:PORT] or postgres://[USER@]HOST[:PORT][/DATABASE]";

    private static readonly Dictionary<string, (ServiceProtocol Protocol, int DefaultPort)> Schemes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["tcp"] = (ServiceProtocol.Tcp, -1),
        ["tcp-echo"] = (ServiceProtocol.TcpEcho, -1),
        ["udp-echo"] = (ServiceProtocol.UdpEcho, -1),
        ["http"] = (ServiceProtocol.Http, 80),
        ["redis"] = (ServiceProtocol.Redis, 6379),
        ["postgres"] = (ServiceProtocol.Postgres, 5432),
        ["postgresql"] = (ServiceProtocol.Postgres, 5432),
    };

    private ServiceAddress(ServiceProtocol protocol, Uri uri, int port) => (Protocol, Uri, Port) = (protocol, uri, port);

    public ServiceProtocol Protocol { get; }

    /// <summary>As it was given.</summary>
    public Uri Uri { get; }

    /// <summary>A name or an address.</summary>
    public string Host => Uri.DnsSafeHost;

    public int Port { get; }

    /// <summary>Of a PostgreSQL: the role that the probe is, "postgres" where none is named.</summary>
    public string User => Uri.UserInfo is "" ? "postgres" : Uri.UnescapeDataString(Uri.UserInfo);

    /// <summary>Of a PostgreSQL: "postgres" where none is named.</summary>
    public string Database => Uri.AbsolutePath is "" or "/" ? "postgres" : Uri.UnescapeDataString(Uri.AbsolutePath[1..]);

    /// <summary>Reads an address of one of <see cref="Forms"/>. Null when it is none; then <paramref name="problem"/> is a sentence.</summary>
    public static ServiceAddress? Parse(string text, out string problem)
    {
        problem = $"\"{text}\" is not of the form {Forms}.";
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.DnsSafeHost.Length == 0 || !Schemes.TryGetValue(uri.Scheme, out var scheme))
        {
            return null;
        }

        int port = uri.Port > 0 ? uri.Port : scheme.DefaultPort;
        if (scheme.Protocol == ServiceProtocol.Postgres ? uri.UserInfo.Contains(':', StringComparison.Ordinal) : uri.UserInfo.Length > 0)
        {
            problem = scheme.Protocol == ServiceProtocol.Postgres ? $"\"{text}\" has a password; the probe shows none." : $"\"{text}\" names a user; the probe logs in nowhere.";
            return null;
        }

        bool tail = scheme.Protocol switch
        {
            ServiceProtocol.Http => true,
            ServiceProtocol.Postgres => uri.Query.Length == 0 && uri.AbsolutePath.LastIndexOf('/') <= 0,
            _ => uri.PathAndQuery is "" or "/",
        };
        if (port is < 1 or > 65535 || !tail)
        {
            return null;
        }

        problem = "";
        return new ServiceAddress(scheme.Protocol, uri, port);
    }

    public override string ToString() => Uri.OriginalString;
}
