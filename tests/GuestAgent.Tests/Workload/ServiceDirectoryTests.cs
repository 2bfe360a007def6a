using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Tests.Workload;

public sealed class ServiceDirectoryTests : IDisposable
{
    private const string Directory = "/etc/twinkernel/services.d";
    private readonly Scenario _scenario = new();

    [Fact]
    public void Declarations_are_read_in_order_and_what_is_left_out_has_its_default()
    {
        Put("web", """{"name": "web", "start": ["/bin/web", "-v"], "probe": {"http": "http://127.0.0.1:80/ok"}, "handover": "stateless"}""");
        Put("db", """{"name": "db", "start": ["/bin/redis"], "stop": ["/bin/end"], "probe": {"tcp": 6379}, "handover": "replicated-redis", "port": 6379, "probation": "serve"}""");

        Put("keeps", """{"name": "keeps", "start": ["/bin/keeps"], "probe": {"tcp": 1}, "handover": "in-place", "preserve": {"bytes": 8192}}""");
        List<string> problems = [];
        IReadOnlyList<ServiceDefinition> services = new ServiceDirectory(_scenario.Guest).Read(problems);

        problems.ShouldBeEmpty();
        services.Select(service => (service.IsInPlace, service.Preserve?.Bytes)).ShouldBe([(false, null), (true, 8192), (false, null)]);
        services = [services[0], services[2]];
        services.Select(service => (service.Name, service.IsReplicated, service.Probation)).ShouldBe([("db", true, "serve"), ("web", false, "hold-writes")]);
        services[1].Stop.ShouldBeEmpty();
    }

    [Fact]
    public void The_preflight_tells_everything_that_is_wrong_at_once_and_those_that_do_not_serve()
    {
        Put("a", """{"name": "b", "start": ["web"], "stop": ["x"], "probe": {"tcp": 70000}, "handover": "by-hand", "probation": "hope"}""");
        Put("c", """{"name": "c", "start": ["/bin/c"], "probe": {"tcp": 1, "http": "https://x/"}, "handover": "stateless", "port": 3, "probation": "journal"}""");
        Put("d", """{"name": "d", "colour": "red"}""");
        Put("e", "{");
        Put("f", """{"name": "f", "start": ["/bin/f"], "probe": {"command": ["/bin/sh", "-c", "echo tired; exit 4"]}, "handover": "replicated-redis", "port": 6379}""");

        Put("i", """{"name": "i", "start": ["/bin/i"], "probe": {"tcp": 1}, "handover": "replicated-redis", "port": 6379, "probation": "journal"}""");
        Put("j", """{"name": "j", "start": ["/bin/j"], "probe": {"tcp": 1}, "handover": "replicated-postgresql", "socket": "here", "probation": "journal"}""");
        Put("g", """{"name": "g", "start": ["/bin/g"], "probe": {"tcp": 1}, "handover": "in-place"}""");
        Put(".h", """{"name": ".h", "start": ["/bin/h"], "probe": {"tcp": 1}, "handover": "in-place", "preserve": {"bytes": 4095}}""");
        PreflightCheck check = _scenario.Steps.Preflight.Run(new PreflightQuestion("u1", 0, 0, 0)).Single(check => check.Name == "services");

        check.Passed.ShouldBeFalse();
        string[] all =
        [
            "a.json: name is 'b'", "a.json: start must be", "a.json: stop must", "a.json: probe.tcp is 70000", "a.json: handover is 'by-hand'", "a.json: probation is 'hope'",
            "c.json: probe must have one of", "c.json: probe.http is 'https://x/'", "c.json: port is for", "c.json: probation journal is for replicated-redis", "d.json: ", "'colour'", "e.json: ", "f does not serve: its probe ended with 4: tired",
            "j.json: port is 0; replicated-postgresql needs", "j.json: socket is 'here'", "j.json: probation journal is for replicated-redis",
            "twinkernel.standby=", "g.json: in-place needs preserve", "i.json: probation journal needs preserve", ".h.json: preserve.bytes is 4095", ".h.json: name is '.h'; preserved memory",
        ];
        foreach (string problem in all)
        {
            check.Message.ShouldContain(problem);
        }
    }

    public void Dispose() => _scenario.Dispose();

    private void Put(string name, string json) => _scenario.Guest.Put($"{Directory}/{name}.json", json);
}
