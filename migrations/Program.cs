using TwinKernel.Fleet.Migrations;

return await MigrateCommand.RunAsync(args, Environment.GetEnvironmentVariable, Console.Out, Console.Error, CancellationToken.None);
