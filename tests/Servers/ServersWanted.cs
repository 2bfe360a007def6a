namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>Which servers a test needs; RabbitMQ is the slow one to start.</summary>
public enum ServersWanted
{
    /// <summary>PostgreSQL and RabbitMQ.</summary>
    Both,

    /// <summary>PostgreSQL only.</summary>
    Postgres,

    /// <summary>RabbitMQ only.</summary>
    Broker,
}
