using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>The ways in which a kernel B goes before its commit, one after the other on one guest under a writer, by images that were made for it.</summary>
internal static class KernelBThatGoes
{
    /// <summary>After each of them the kernel A from before serves, and at the end it has all that was acknowledged.</summary>
    /// <param name="variants">Ends of images' names; they begin with the way.</param>
    public static async Task PlayAsync(HostUnderTest host, ServiceWriter writer, params string[] variants)
    {
        await writer.AcknowledgesAsync(ServiceWriter.BootMinutes);
        Guest before = await host.GuestAsync();
        string kernelA = writer.Servers.Single().Server;
        foreach (string variant in variants)
        {
            Upgrade upgrade = await host.UpgradeAsync($"{HostUnderTest.ImageB}-{variant}");

            upgrade.State.ShouldBe("RolledBack", $"{variant}: {upgrade.Reason}");
            upgrade.Reason.ShouldContain(ReasonOf(variant, before), Case.Sensitive, variant);
            await Eventually.TrueAsync(TimeSpan.FromMinutes(1), $"kernel A serves after {variant}", async () => await host.GuestAsync() is { State: "running" } guest && guest.BootId == before.BootId);
            await writer.AcknowledgesAsync();
            writer.Servers[^1].Server.ShouldBe(kernelA, variant);
            TestContext.Current.TestOutputHelper!.WriteLine($"{variant}: {upgrade.Reason} ({string.Join(", ", writer.Servers.Select(server => server.Answers))} answers, longest gap {writer.LongestGap.TotalMilliseconds:0} ms)");
        }

        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
    }

    /// <summary>Empty: whoever has noticed first says why, kernel A or the host's agent whom kernel A answers again.</summary>
    private static string ReasonOf(string variant, Guest before) => variant switch
    {
        _ when variant.StartsWith("dies-agreed", StringComparison.Ordinal) => "Kernel B panicked and will not answer",
        _ when variant.StartsWith("refusing", StringComparison.Ordinal) => $"Hook 10-refuses (post cutover) ended with 7: \"the new kernel does not suit {before.KernelRelease}\"",
        _ => "",
    };
}
