namespace TwinKernel.Fleet.Probe.Tests;

public sealed class ServiceAddressTests
{
    [Theory]
    [InlineData("tcp://127.0.0.1:80", ServiceProtocol.Tcp, "127.0.0.1", 80)]
    [InlineData("tcp-echo://[::1]:7/", ServiceProtocol.TcpEcho, "::1", 7)]
    [InlineData("udp-echo://guest:7777", ServiceProtocol.UdpEcho, "guest", 7777)]
    [InlineData("http://guest/health?full=1", ServiceProtocol.Http, "guest", 80)]
    [InlineData("HTTP://guest:8080", ServiceProtocol.Http, "guest", 8080)]
    [InlineData("redis://localhost", ServiceProtocol.Redis, "localhost", 6379)]
    [InlineData("postgres://app@guest/shop", ServiceProtocol.Postgres, "guest", 5432)]
    public void These_are_addresses(string text, ServiceProtocol protocol, string host, int port)
    {
        ServiceAddress address = ServiceAddress.Parse(text, out _).ShouldNotBeNull();
        (address.Protocol, address.Host, address.Port, address.ToString()).ShouldBe((protocol, host, port, text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.1:80")]
    [InlineData("tcp://127.0.0.1")]
    [InlineData("tcp://:80")]
    [InlineData("tcp://h:0")]
    [InlineData("tcp://h:65536")]
    [InlineData("udp-echo://h")]
    [InlineData("https://h/")]
    [InlineData("redis://h/0")]
    [InlineData("redis://:secret@h")]
    [InlineData("postgres://app:secret@h")]
    [InlineData("postgres://h/a/b")]
    [InlineData("postgres://h/a?sslmode=disable")]
    public void These_are_none(string text)
    {
        ServiceAddress.Parse(text, out string problem).ShouldBeNull();
        problem.ShouldStartWith($"\"{text}\"");
    }

    [Theory]
    [InlineData("postgres://h", "postgres", "postgres")]
    [InlineData("postgresql://app@h:1/s%68op", "app", "shop")]
    public void A_PostgreSQL_is_asked_as_a_role_in_a_database(string text, string user, string database)
    {
        ServiceAddress address = ServiceAddress.Parse(text, out _).ShouldNotBeNull();
        (address.User, address.Database).ShouldBe((user, database));
    }

    [Fact]
    public void Every_setting_that_is_wrong_is_told()
    {
        var settings = new ProbeSettings
        {
            Service = ServiceAddress.Parse("tcp://h:1", out _)!,
            Interval = TimeSpan.FromMicroseconds(19),
            Timeout = TimeSpan.FromSeconds(61),
            Duration = TimeSpan.Zero,
            Connections = 257,
            GapThreshold = TimeSpan.Zero,
            Writes = true,
        };
        settings.Problems().Count().ShouldBe(6);
        (settings with { Writes = false, VerifyWrites = true }).Problems().ShouldContain("Only writes can be verified.");
        new ProbeSettings { Service = settings.Service }.Problems().ShouldBeEmpty();
    }
}
