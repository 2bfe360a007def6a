namespace TwinKernel.Fleet.Cli;

/// <summary>What a script learns from <c>twinfleet</c>. <see cref="Table"/> is what <c>--help</c> shows.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int UpgradeFailed = 1;
    public const int Usage = 2;
    public const int Unreachable = 3;
    public const int NotFound = 4;
    public const int Refused = 5;
    public const int Interrupted = 6;
    public const int CoordinatorFailed = 7;
    public const int WritesLost = 8;
    public const int TimedOut = 124;

    public static readonly IReadOnlyList<(int Code, string Meaning)> Table =
    [
        (Done, "Done; with --watch: every upgrade succeeded"),
        (UpgradeFailed, "A watched upgrade failed or was rolled back, or a watched rollout was not wholly successful"),
        (Usage, "The command line is wrong, or the coordinator found a value of it wrong"),
        (Unreachable, "The coordinator cannot be reached, or nothing that a probe asked was answered"),
        (NotFound, "No such host, guest, image, upgrade or rollout"),
        (Refused, "The coordinator refused, for instance because an upgrade is under way"),
        (Interrupted, "Interrupted; what was started goes on"),
        (CoordinatorFailed, "The coordinator met an error of its own"),
        (WritesLost, "A probe's acknowledged writes are lost, or could not be read back"),
        (TimedOut, "--timeout passed; what was started goes on"),
    ];
}
