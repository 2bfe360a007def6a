using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>A document that is written from the code. With <c>TWIN_WRITE_DOCS</c> in the environment it is written anew.</summary>
internal static class WrittenDocument
{
    public static void ShouldBe(string name, string text)
    {
        string path = Repository.Find("docs", name);
        if (Environment.GetEnvironmentVariable("TWIN_WRITE_DOCS") is { Length: > 0 })
        {
            File.WriteAllText(path, text);
        }

        File.ReadAllText(path).ShouldBe(text, "TWIN_WRITE_DOCS=1 dotnet test tests/Coordinator.Tests writes it anew");
    }
}
