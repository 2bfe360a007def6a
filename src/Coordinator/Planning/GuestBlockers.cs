using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>What stands in the way of one guest's upgrade, by the guest, its host and the image alone: when it is planned, and again when its turn comes.</summary>
public static class GuestBlockers
{
    /// <summary>All of them, those that do not pass first; none: it can be upgraded.</summary>
    public static IReadOnlyList<Blocker> Of(RolloutSpec spec, ImageSnapshot image, GuestSnapshot guest)
    {
        if (guest.ImageDigest == image.Digest)
        {
            return [new Blocker(BlockerKind.AlreadyOnImage, $"{guest.Id} runs {image.Name} already.", false)];
        }

        List<Blocker> blockers = [];
        Add(image.State == ImageState.Denied, BlockerKind.ImageDenied, $"{image.Name} is denied.");
        Add(image.State == ImageState.Verified && spec.RequireProven, BlockerKind.ImageNotProven,
            $"{image.Name} has not been proven, and the rollout requires it.");
        Add(!spec.AllowDowngrade && KernelRelease.IsOlder(image.KernelRelease, guest.KernelRelease), BlockerKind.Downgrade,
            $"{guest.Id} runs kernel {guest.KernelRelease}, newer than {image.KernelRelease}, and no downgrade is allowed.");
        Add(guest.Quarantine is not null, BlockerKind.InQuarantine, $"{guest.Id} is in quarantine: {guest.Quarantine}");
        Add(guest.CpusPresent == 1 && spec.Strategy == UpgradeStrategy.Twin, BlockerKind.OneCpu,
            $"{guest.Id} has one CPU and a twin needs two; the strategies auto, kexec and reboot do with one.");

        Add(guest.HeldBy is not null, BlockerKind.HeldByAnother, $"{guest.Id} is held by {guest.HeldBy}.", true);
        Add(!guest.HostOnline, BlockerKind.HostOffline, $"Host {guest.Id.Host} of {guest.Id.Name} is offline.", true);
        Add(guest.HostOnline && guest.State != GuestState.Running, BlockerKind.GuestNotRunning,
            $"{guest.Id} does not run ({guest.State}).", true);
        Add(!guest.HostHasImage, BlockerKind.ImageNotOnHost, $"Host {guest.Id.Host} does not hold {image.Name}.", true);
        return blockers;

        void Add(bool blocks, BlockerKind kind, string message, bool passing = false)
        {
            if (blocks)
            {
                blockers.Add(new Blocker(kind, message, passing));
            }
        }
    }
}
