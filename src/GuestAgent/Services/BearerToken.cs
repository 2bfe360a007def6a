using System.Security.Cryptography;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>
/// The guest's bearer token: from QEMU's fw_cfg in a kernel that firmware booted, from the parent's agent in one that was launched.
/// Kept in <c>/run/twinkernel/token</c> (mode 0600) for an agent that is started again. Nothing is let in before it is known.
/// </summary>
public sealed class BearerToken(KernelFiles files)
{
    private const string FirmwarePath = "/sys/firmware/qemu_fw_cfg/by_name/opt/twinkernel/token/raw";
    private const string KeptPath = "/run/twinkernel/token";
    private const string Scheme = "Bearer ";
    private volatile string? _token;
    private string? _lent;

    /// <summary>Null before it is known.</summary>
    public string? Value => _token;

    /// <summary>Looks where a token may be. False: none yet.</summary>
    public bool TryFind()
    {
        _token = (files.TryRead(KeptPath) ?? files.TryRead(FirmwarePath)) is { Length: > 0 } token ? token : _token;
        return _token is not null;
    }

    /// <summary>For calls that this process makes to itself: the token, or one of its own, which is let in until the token is known.</summary>
    public string Lend() => _token ?? (_lent ??= $"{Guid.NewGuid():N}");

    /// <summary>Takes the token that the parent's agent handed over.</summary>
    public void Take(string token)
    {
        string path = files.At(KeptPath);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(Encoding.ASCII.GetBytes(token));
        }

        _token = token;
    }

    /// <summary>Whether an <c>authorization</c> value is the token's. Takes the same time whatever differs.</summary>
    public bool Admits(string? authorization)
    {
        if ((_token ?? _lent) is not { } token || authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        // No digest of the two: that would load OpenSSL, which the initramfs does not carry. Their length is no secret.
        return CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(token), Encoding.UTF8.GetBytes(authorization[Scheme.Length..]));
    }
}
