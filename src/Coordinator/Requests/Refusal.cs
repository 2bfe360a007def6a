using Google.Protobuf;
using Grpc.Core;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>Answers that say no, each with what is wrong and what to do.</summary>
internal static class Refusal
{
    /// <summary>The trailer with every violation, a <see cref="Wire.Violations"/>.</summary>
    public const string ViolationsTrailer = "twinkernel-violations-bin";

    public static RpcException Invalid(IReadOnlyList<(string Field, string Message)> violations) =>
        With(StatusCode.InvalidArgument, string.Join(" ", violations.Select(one => $"{one.Field}: {one.Message}")), violations);

    public static RpcException Invalid(IReadOnlyList<Violation> violations) =>
        Invalid([.. violations.Select(one => (one.Field, one.Message))]);

    public static RpcException NotReady(IReadOnlyList<(string Field, string Message)> violations) =>
        With(StatusCode.FailedPrecondition, string.Join(" ", violations.Select(one => one.Message)), violations);

    public static RpcException UnknownHost(string host) =>
        NotFound($"Host '{host}' is not known. A host registers with its first heartbeat; see `twinfleet hosts list`.");

    public static RpcException UnknownImage(string image) =>
        NotFound($"Image '{image}' is not known; see `twinfleet images list`.");

    public static RpcException NotFound(string message) => new(new Status(StatusCode.NotFound, message));

    public static RpcException AlreadyExists(string message) => new(new Status(StatusCode.AlreadyExists, message));

    private static RpcException With(
        StatusCode code, string message, IReadOnlyList<(string Field, string Message)> violations)
    {
        Wire.Violations detail = new();
        detail.Violations_.Add(violations.Select(one =>
            new Wire.Violations.Types.Violation { Field = one.Field, Message = one.Message }));
        return new RpcException(new Status(code, message), new Metadata { { ViolationsTrailer, detail.ToByteArray() } });
    }
}
