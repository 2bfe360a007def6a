using System.Text;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Tests;

internal static class SampleScenario
{
    public const string ImageA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    public const string ImageB = "sha256:bbbbbbbb00000000000000000000000000000000000000000000000000000000";

    /// <param name="members">Further ones of the file, without the braces.</param>
    public static string Text(string members) => $$"""
        {
          "images": [
            { "name": "debian-6.1", "digest": "{{ImageA}}", "kernelRelease": "6.1.0" },
            { "name": "debian-6.12", "digest": "{{ImageB}}", "kernelRelease": "6.12.1" }
          ],
          {{members}}
        }
        """;

    public static Scenario Read(string members) => ScenarioReader.Read(Encoding.UTF8.GetBytes(Text(members)));

    public static Scenario OneHost(string members) =>
        Read($$""" "hosts": [{ "name": "h", "guests": 2, "image": "debian-6.1" }], {{members}} """);
}
