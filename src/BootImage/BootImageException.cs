namespace TwinKernel.Fleet.BootImage;

/// <summary>One reason why an image or a request is refused.</summary>
/// <param name="Field">Name of the boot protocol's field or of the request's property, as in <c>xloadflags</c> or <c>Slot</c>.</param>
/// <param name="Expected">What would have been accepted.</param>
/// <param name="Found">What was there.</param>
public sealed record BootImageViolation(string Field, string Expected, string Found)
{
    /// <summary>One sentence with all three.</summary>
    public override string ToString() => $"{Field}: expected {Expected}, found {Found}";
}

/// <summary>An image or a request that cannot be booted. Carries every reason that could be told apart.</summary>
public sealed class BootImageException : Exception
{
    /// <summary>Refuses for the given reasons.</summary>
    /// <param name="subject">What is refused, the message's first words.</param>
    /// <param name="violations">At least one.</param>
    public BootImageException(string subject, IReadOnlyList<BootImageViolation> violations)
        : base($"{subject}: {string.Join("; ", violations)}")
    {
        ArgumentOutOfRangeException.ThrowIfZero(violations.Count);
        Violations = violations;
    }

    /// <summary>The field of the first violation.</summary>
    public string Field => Violations[0].Field;

    /// <summary>All reasons, at least one.</summary>
    public IReadOnlyList<BootImageViolation> Violations { get; }
}
