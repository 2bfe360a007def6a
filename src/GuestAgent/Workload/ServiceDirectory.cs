using System.Text.Json;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>The guest's services, as <c>/etc/twinkernel/services.d/NAME.json</c> declare them.</summary>
public sealed class ServiceDirectory(KernelFiles files)
{
    public const string Directory = "/etc/twinkernel/services.d";

    /// <summary>By name. What cannot be read or is wrong is left out, and every reason told.</summary>
    public IReadOnlyList<ServiceDefinition> Read(List<string> problems)
    {
        List<ServiceDefinition> services = [];
        foreach (string file in files.List(Directory).Where(name => name.EndsWith(".json", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            string[] wrong;
            try
            {
                ServiceDefinition service = JsonSerializer.Deserialize(files.ReadBytes($"{Directory}/{file}"), ServiceJson.Default.ServiceDefinition)
                    ?? throw new JsonException("it is empty");
                wrong = [.. service.Problems(Path.GetFileNameWithoutExtension(file))];
                if (wrong.Length == 0)
                {
                    services.Add(service);
                }
            }
            catch (Exception error) when (error is IOException or JsonException)
            {
                wrong = [error.Message];
            }

            problems.AddRange(wrong.Select(problem => $"{file}: {problem}"));
        }

        return services;
    }

    /// <summary>Those that are right.</summary>
    public IReadOnlyList<ServiceDefinition> Read() => Read([]);
}
