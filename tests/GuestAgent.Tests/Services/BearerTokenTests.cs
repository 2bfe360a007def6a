using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

public sealed class BearerTokenTests
{
    [Fact]
    public void Nobody_is_let_in_before_the_token_is_known()
    {
        using FakeGuest guest = FakeGuest.Create();
        BearerToken token = new(guest);
        token.TryFind().ShouldBeFalse();
        token.Admits("Bearer ").ShouldBeFalse();
        token.Admits(null).ShouldBeFalse();
    }

    [Fact]
    public void Firmware_tells_the_token()
    {
        using FakeGuest guest = FakeGuest.Create();
        guest.Put("/sys/firmware/qemu_fw_cfg/by_name/opt/twinkernel/token/raw", "abc\n");
        BearerToken token = new(guest);
        token.TryFind().ShouldBeTrue();
        token.Admits("Bearer abc").ShouldBeTrue();
        token.Admits("bearer abc").ShouldBeTrue();
        foreach (string wrong in new[] { "Bearer ab", "Bearer abcd", "Bearer ABC", "Bearer  abc", "Basic abc", "abc", "" })
        {
            token.Admits(wrong).ShouldBeFalse(wrong);
        }
    }

    [Fact]
    public void What_is_lent_is_let_in_until_the_token_is_known()
    {
        using FakeGuest guest = FakeGuest.Create();
        BearerToken token = new(guest);
        string lent = token.Lend();
        token.Lend().ShouldBe(lent);
        token.Admits($"Bearer {lent}").ShouldBeTrue();
        new BearerToken(guest).Lend().ShouldNotBe(lent);

        token.Take("from-a");
        token.Admits($"Bearer {lent}").ShouldBeFalse();
        token.Lend().ShouldBe("from-a");
    }

    [Fact]
    public void A_token_that_was_handed_over_is_kept_for_the_next_agent_and_for_nobody_else()
    {
        using FakeGuest guest = FakeGuest.Create();
        new BearerToken(guest).Take("from-a");
        BearerToken next = new(guest);
        next.TryFind().ShouldBeTrue();
        next.Admits("Bearer from-a").ShouldBeTrue();
        File.GetUnixFileMode(guest.At("/run/twinkernel/token")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
