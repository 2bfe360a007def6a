using System.Reflection;

namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>Where the checked-out tree is, for tests that need its scripts, images or state folder.</summary>
public static class Repository
{
    /// <summary>Absolute path of the tree's top directory.</summary>
    public static string Root { get; } = typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(metadata => metadata.Key == "RepositoryRoot").Value!;

    /// <summary>Absolute path of something in the tree.</summary>
    public static string Find(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    /// <summary>A new empty directory under the git-ignored <c>state/tests</c>. The caller deletes it.</summary>
    public static string CreateScratchDirectory(string prefix)
    {
        // Short: sockets below it have paths of 107 bytes at most.
        string path = Find("state", "tests", $"{prefix}-{$"{Guid.NewGuid():n}"[..8]}");
        Directory.CreateDirectory(path);
        return path;
    }
}
