using System.Security.Cryptography;

namespace TwinKernel.Fleet.HostAgent.Images;

/// <summary>
/// The public keys in <c>Host:ImageKeys</c>: an image is only there for this host when one of them signed its manifest. The signature, <c>manifest.json.sig</c>,
/// is ECDSA over the SHA-256 of the manifest's bytes, in DER (RFC 3279), as <c>openssl dgst -sha256 -sign</c> makes it. The manifest holds the digests of all else.
/// </summary>
internal sealed class ImageKeys
{
    /// <summary>No signature is asked for.</summary>
    public static readonly ImageKeys None = new([]);

    private readonly IReadOnlyList<ECDsa> _keys;

    private ImageKeys(IReadOnlyList<ECDsa> keys) => _keys = keys;

    /// <summary>Every <c>*.pem</c> of a directory, one key in each.</summary>
    /// <param name="directory">Empty: none is asked for.</param>
    /// <param name="errors">Gets what is wrong, each with its file.</param>
    public static ImageKeys Read(string directory, List<string> errors)
    {
        if (directory.Length == 0)
        {
            return None;
        }

        if (!Path.IsPathFullyQualified(directory) || !Directory.Exists(directory))
        {
            errors.Add($"Host:ImageKeys is '{directory}'; it must be the absolute path of a directory with public keys (*.pem), or be left out.");
            return None;
        }

        List<ECDsa> keys = [];
        int before = errors.Count;
        foreach (string file in Directory.EnumerateFiles(directory, "*.pem").Order(StringComparer.Ordinal))
        {
            try
            {
                string text = File.ReadAllText(file);
                if (text.Contains("PRIVATE KEY", StringComparison.Ordinal))
                {
                    errors.Add($"Host:ImageKeys: {file} holds a private key, which belongs to who signs alone; put the public one there (openssl pkey -pubout).");
                    continue;
                }

                ECDsa key = ECDsa.Create();
                key.ImportFromPem(text);
                keys.Add(key);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or CryptographicException)
            {
                errors.Add($"Host:ImageKeys: {file} is no public key of an elliptic curve in PEM: {e.Message}");
            }
        }

        if (keys.Count == 0 && errors.Count == before)
        {
            errors.Add($"Host:ImageKeys: {directory} holds no *.pem; without a key no image could be used.");
        }

        return new ImageKeys(keys);
    }

    /// <summary>Why an image may not be used; null: it may.</summary>
    /// <param name="manifest">Its bytes.</param>
    /// <param name="file">Where they were read.</param>
    /// <exception cref="IOException">The signature cannot be read.</exception>
    public string? Problem(byte[] manifest, string file)
    {
        if (_keys.Count == 0)
        {
            return null;
        }

        if (!File.Exists(file + ".sig"))
        {
            return "it is not signed (manifest.json.sig), and Host:ImageKeys asks for it; see images/sign";
        }

        byte[] signature = File.ReadAllBytes(file + ".sig");
        return _keys.Any(key => key.VerifyData(manifest, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))
            ? null
            : "none of the keys in Host:ImageKeys made its signature: it was signed by somebody else, or has changed since";
    }
}
