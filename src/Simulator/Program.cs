using TwinKernel.Fleet.Simulator;

return await CommandLine.RunAsync(args, Environment.GetEnvironmentVariable, Console.Out, Console.Error, CancellationToken.None);
