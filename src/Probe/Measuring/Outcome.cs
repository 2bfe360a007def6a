using System.Net.Sockets;

namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>How a request ended. Whatever is not among these is an error with the name that the service or the system gave it.</summary>
public static class Outcome
{
    /// <summary>The right answer came within the deadline.</summary>
    public const string Answered = "answered";

    /// <summary>No answer within the deadline.</summary>
    public const string Unanswered = "unanswered";

    /// <summary>It was due while the probe itself was held up, for longer than the deadline, and was never sent.</summary>
    public const string NotSent = "not-sent";

    /// <summary>Nobody listens.</summary>
    public const string Refused = "refused";

    /// <summary>No way to the host.</summary>
    public const string Unreachable = "unreachable";

    /// <summary>The service closed the connection on which the answer was waited for.</summary>
    public const string Closed = "closed";

    /// <summary>The connection on which the answer was waited for was reset.</summary>
    public const string Reset = "reset";

    /// <summary>The probe gave its connection up, because an earlier request on it had gone unanswered for the whole deadline.</summary>
    public const string Abandoned = "abandoned";

    /// <summary>The answer is not the one that was asked for.</summary>
    public const string WrongAnswer = "wrong-answer";

    internal static string Of(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => Refused,
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => Reset,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.NetworkDown => Unreachable,
        SocketError.TimedOut => Unanswered,
        _ => error.ToString(),
    };
}
