namespace TwinKernel.Fleet.HostAgent;

/// <summary>What the program says of itself. Exit codes: 0 good, 1 a guest could not be stopped or attached to, 2 configuration.</summary>
internal static class Usage
{
    public const string Text = """
        hostagent [--Section:Key value ...]              runs the agent until SIGTERM or Ctrl-C; its machines stay
        hostagent stop-guests [--forget] [--Section:...]  ends the machines of Host:StateDirectory;
                                                         --forget removes records, journals and epochs too
        hostagent console GUEST [1|2] [--Section:...]    this terminal becomes that of the guest's first (or second) serial
                                                         port; Ctrl-] leaves

        Settings come from appsettings.json, the environment (Host__Name) or the command line (--Host:Name):
          Broker:Uri            amqp://user:password@host:port/ (a secret: use the environment)
          Host:Name             name of this host in the fleet
          Host:StateDirectory   records, journals, sockets, console logs
          Host:ImageDirectory   one subdirectory per image
          Host:Accelerator      auto (default), kvm or tcg
          Host:Guests:N:Name, :Image, :Cpus (2), :MemoryMiB (2048)
        """;

    public static int Error(string message)
    {
        Console.Error.WriteLine(message);
        return 2;
    }
}
