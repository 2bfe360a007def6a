using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Tests.Servers;

[assembly: AssemblyFixture(typeof(ServersFixture))]

namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>One PostgreSQL and one RabbitMQ for all tests that do not kill them.</summary>
public sealed class ServersFixture : PrivateServers, IAsyncLifetime;
