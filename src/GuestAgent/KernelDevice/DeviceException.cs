namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>The kernel module refused a request.</summary>
/// <param name="request">The request's name as in the header, such as <c>CLAIM_SLOT</c>.</param>
/// <param name="errno">Why; the header documents the meaning for each request.</param>
/// <param name="detail">What was asked for, for the operator.</param>
public sealed class DeviceException(string request, Errno errno, string detail)
    : IOException($"{request} {detail} was refused by the module: {errno}")
{
    /// <summary>The request's name.</summary>
    public string Request { get; } = request;

    /// <summary>The module's answer.</summary>
    public Errno Errno { get; } = errno;
}
