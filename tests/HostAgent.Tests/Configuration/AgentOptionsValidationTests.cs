using Microsoft.Extensions.Options;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Tests.Configuration;

public sealed class AgentOptionsValidationTests
{
    [Fact]
    public void A_good_configuration_passes()
    {
        AgentOptions options = new() { Name = "host-1.example", StateDirectory = "s", ImageDirectory = "i" };
        options.Guests.Add(new GuestOptions { Name = "g1", Image = "debian-6.1" });
        new AgentOptionsValidation().Validate(null, options).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public void Every_error_is_told_at_once_with_the_values()
    {
        AgentOptions options = new()
        {
            Name = "Host_1",
            Accelerator = "xen",
            HeartbeatInterval = TimeSpan.Zero,
            ProbationSettling = TimeSpan.FromSeconds(1),
            ProbationMaxGap = TimeSpan.FromSeconds(3),
        };
        options.Guests.Add(new GuestOptions { Name = "g1", Image = "", Cpus = 0, MemoryMiB = 1, StandbyPort = 65536 });
        options.Guests.Add(new GuestOptions { Name = "g1", Image = "x", StandbyPort = 65536 });
        string[] failures = [.. new AgentOptionsValidation().Validate(null, options).Failures!];
        string all = string.Join('\n', failures);
        failures.Length.ShouldBe(13);
        foreach (string part in (string[])["Host:Name is 'Host_1'", "Host:StateDirectory", "Host:ImageDirectory", "'xen'", "Host:HeartbeatInterval (00:00:00)", "(00:00:03) must be shorter than Host:ProbationSettling (00:00:01)", "Guests:0:Image", "Cpus is 0", "MemoryMiB is 1;", "2 guests named 'g1'", "Guests:0:StandbyPort is 65536", "2 guests with StandbyPort 65536"])
        {
            all.ShouldContain(part);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://u:secret@h/")]
    [InlineData("amqp://h:5672/secret")]
    public void A_wrong_broker_address_is_refused_without_being_shown(string uri)
    {
        ValidateOptionsResult result = new BrokerOptionsValidation().Validate(null, new BrokerOptions { Uri = uri });
        result.Failed.ShouldBeTrue();
        result.FailureMessage.ShouldContain("Broker:Uri");
        result.FailureMessage.ShouldNotContain("secret");
    }

    [Fact]
    public void A_second_agent_is_kept_out_of_a_state_directory()
    {
        using TemporaryDirectory directory = new();
        using (StateDirectory.Open(directory.Path))
        {
            Should.Throw<IOException>(() => StateDirectory.Open(directory.Path)).Message.ShouldContain(directory.Path);
        }

        StateDirectory.Open(directory.Path).Dispose();
    }
}
