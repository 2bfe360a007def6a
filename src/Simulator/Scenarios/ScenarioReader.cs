using System.Text.Json;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Scenarios;

/// <summary>A scenario that cannot be; all that is wrong with it, each with its path.</summary>
internal sealed class InvalidScenarioException(IReadOnlyList<string> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    public IReadOnlyList<string> Errors => errors;
}

/// <summary>Reads a scenario from JSON.</summary>
internal static partial class ScenarioReader
{
    private const int MostHosts = 50_000;
    private const int MostGuests = 1_000;
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>What nothing simulated can bring about: they come of what commands ask for, or of a step that has none of it.</summary>
    private static readonly UpgradeFailure[] NotByChance =
        [UpgradeFailure.None, UpgradeFailure.StaleEpoch, UpgradeFailure.Aborted, UpgradeFailure.TookOver];

    /// <exception cref="InvalidScenarioException">All that is wrong.</exception>
    public static Scenario Read(ReadOnlyMemory<byte> utf8)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(utf8, Lenient);
        }
        catch (JsonException e)
        {
            throw new InvalidScenarioException([$"$: is no JSON: {e.Message}"]);
        }

        using (document)
        {
            List<string> errors = [];
            Scenario scenario = Scenario(new ScenarioObject(document.RootElement, "", errors));
            return errors.Count == 0 ? scenario : throw new InvalidScenarioException(errors);
        }
    }

    private static Scenario Scenario(ScenarioObject file)
    {
        List<ImageReport> images = [.. file.Objects("images", atLeast: 1).Select(Image)];
        file.Unique("images", images.Select(image => image.Name), "name");
        file.Unique("images", images.Select(image => image.Digest), "digest");
        List<HostGroup> groups = [.. file.Objects("hosts", atLeast: 1).Select(group => Group(group, images))];
        file.Unique("hosts", groups.Select(group => group.Name), "name");
        if (groups.Sum(group => (long)group.Count) > MostHosts)
        {
            file.Wrong("hosts", $"are more than {MostHosts} together");
        }

        Scenario scenario = new()
        {
            Seed = file.Whole("seed", 1, long.MinValue, long.MaxValue),
            TimeScale = file.Number("timeScale", 1, 0.01, 10_000),
            Heartbeat = file.Time("heartbeat", TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)),
            Images = images,
            Hosts = groups,
            Steps = Steps(file.Object("steps")),
            Outage = Latency(file.Object("outage"), TimeSpan.FromMilliseconds(50)),
            Silences = [.. file.Objects("silences").Select(one => Interruption(one, groups))],
            Restarts = [.. file.Objects("restarts").Select(one => Interruption(one, groups))],
        };
        file.NothingElse();
        return scenario;
    }

    private static ImageReport Image(ScenarioObject image)
    {
        ImageReport report = new()
        {
            Name = image.Text("name", NameForm(), "1 to 63 lower-case letters, digits, dots and hyphens"),
            Digest = image.Text("digest", DigestForm(), "sha256: and 64 lower-case hex digits"),
            KernelRelease = image.Text("kernelRelease", AnythingForm(), "what `uname -r` says"),
            Bytes = image.Whole("bytes", 64 << 20, 1, long.MaxValue),
        };
        image.NothingElse();
        return report;
    }

    private static HostGroup Group(ScenarioObject group, List<ImageReport> images)
    {
        string name = group.Text("name", GroupForm(), "1 to 50 lower-case letters, digits, dots and hyphens");
        string image = group.Text("image", AnythingForm(), "the name of one of the images");
        ImageReport? runs = images.Find(one => one.Name == image);
        if (runs is null && image.Length > 0)
        {
            group.Wrong("image", $"'{image}' is none of the images");
        }

        HostGroup read = new(
            name, (int)group.Whole("count", 1, 1, MostHosts), (int)group.Whole("guests", 1, 0, MostGuests),
            runs ?? new ImageReport { Name = "", Digest = "", KernelRelease = "", Bytes = 0 },
            Labels(group.Object("labels")), Labels(group.Object("guestLabels")));
        group.NothingElse();
        return read;
    }

    private static Dictionary<string, IReadOnlyList<string>> Labels(ScenarioObject labels)
    {
        Dictionary<string, IReadOnlyList<string>> read = [];
        foreach (string key in labels.Names)
        {
            IReadOnlyList<string> values = labels.Texts(key);
            foreach (string trouble in values.SelectMany(value => LabelForm.Errors(new Dictionary<string, string> { [key] = value })).Distinct())
            {
                labels.Wrong(key, trouble);
            }

            read[key] = values;
        }

        if (read.Count > LabelForm.Most)
        {
            labels.Wrong("", $"has {read.Count} labels; at most {LabelForm.Most} are possible");
        }

        return read;
    }

    private static Dictionary<UpgradeStep, StepBehaviour> Steps(ScenarioObject steps)
    {
        StepBehaviour others = Step(steps.Object("others"));
        Dictionary<UpgradeStep, StepBehaviour> read = [];
        foreach (UpgradeStep step in Enum.GetValues<UpgradeStep>())
        {
            ScenarioObject own = steps.Object($"{step}");
            read[step] = steps.Has($"{step}") ? Step(own) : others;
        }

        steps.NothingElse();
        return read;
    }

    private static StepBehaviour Step(ScenarioObject step)
    {
        Latency latency = Latency(step.Object("latency"), TimeSpan.FromSeconds(1));
        List<StepFault> faults = [];
        ScenarioObject failures = step.Object("failures");
        foreach (string name in failures.Names)
        {
            double probability = failures.Number(name, 0, 0, 1);
            if (!Enum.TryParse(name, out UpgradeFailure kind) || $"{kind}" != name || NotByChance.Contains(kind))
            {
                failures.Wrong(name, $"is no failure that can be simulated; those are {string.Join(", ", Enum.GetValues<UpgradeFailure>().Except(NotByChance))}");
            }

            faults.Add(new StepFault(kind, probability));
        }

        if (faults.Sum(fault => fault.Probability) > 1)
        {
            step.Wrong("failures", "are more than 1 together");
        }

        step.NothingElse();
        return new StepBehaviour(latency, faults);
    }

    private static Latency Latency(ScenarioObject latency, TimeSpan absent)
    {
        TimeSpan median = latency.Time("median", absent, TimeSpan.Zero, Day);
        TimeSpan p95 = latency.Time("p95", median, TimeSpan.Zero, Day);
        TimeSpan most = latency.Time("most", p95 * 4, TimeSpan.Zero, Day * 4);
        if (p95 < median)
        {
            latency.Wrong("p95", "is less than the median");
        }

        if (most < p95)
        {
            latency.Wrong("most", "is less than p95");
        }

        latency.NothingElse();
        return new Latency(median, p95, most);
    }

    private static Interruption Interruption(ScenarioObject one, List<HostGroup> groups)
    {
        string? group = one.Has("hosts") ? one.Text("hosts", AnythingForm(), "the name of a group of hosts") : null;
        if (group is { Length: > 0 } && groups.TrueForAll(known => known.Name != group))
        {
            one.Wrong("hosts", $"'{group}' is no group of hosts");
        }

        Interruption read = new(
            group, one.Number("share", 1, 0, 1), one.Time("at", null, TimeSpan.Zero, Day), one.Time("for", null, TimeSpan.FromMilliseconds(1), Day));
        one.NothingElse();
        return read;
    }

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\z")]
    private static partial Regex NameForm();

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9.-]{0,48}[a-z0-9])?\z")]
    private static partial Regex GroupForm();

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex DigestForm();

    [GeneratedRegex(@"\A.{1,200}\z")]
    private static partial Regex AnythingForm();
}
