namespace TwinKernel.Fleet.Coordinator.Images;

/// <summary>How far an image is trusted.</summary>
public enum ImageState
{
    /// <summary>Its digests and signature are right; no guest has run it yet.</summary>
    Verified = 1,

    /// <summary>A rollout, or a canary, of exactly this digest has completed.</summary>
    Proven = 2,

    /// <summary>Never to be rolled out, by a person's word or because a rollout of it was rolled back.</summary>
    Denied = 3,
}
