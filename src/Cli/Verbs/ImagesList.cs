using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class ImagesList
{
    public static Command Create(VerbFactory verb) => verb.Create("list", "Images that hosts hold", "twinfleet images list", async run =>
    {
        var answer = await run.Connection.Client.ListImagesAsync(new ListImagesRequest(), run.Call());
        if (run.Json)
        {
            run.PrintJson(answer);
            return ExitCode.Done;
        }

        var listing = new Listing(run.Surroundings.OnTerminal, "IMAGE", "STATE", "KERNEL", "SIZE", "DIGEST", "HOSTS").AlignRight(3);
        foreach (var image in answer.Images)
        {
            listing.Add(image.Name, image.State, image.KernelRelease, Units.Bytes(image.Bytes), Units.Digest(image.Digest), string.Join(", ", image.Hosts));
        }

        listing.Print(run.Surroundings, "No host holds an image. Build some, into the folder that Host:ImageDirectory names.");
        return ExitCode.Done;
    });
}
