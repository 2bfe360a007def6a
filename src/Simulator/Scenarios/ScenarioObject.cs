using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace TwinKernel.Fleet.Simulator.Scenarios;

/// <summary>
/// An object of a scenario's JSON. What is wrong is noted with its path, and the reading goes on with what is harmless, so that all
/// errors come at once. An object that is absent is an empty one.
/// </summary>
internal sealed partial class ScenarioObject
{
    private readonly Dictionary<string, JsonElement> _members = [];
    private readonly HashSet<string> _asked = [];
    private readonly string _path;
    private readonly List<string> _errors;

    public ScenarioObject(JsonElement? element, string path, List<string> errors)
    {
        (_path, _errors) = (path, errors);
        if (element is { ValueKind: JsonValueKind.Object } found)
        {
            foreach (JsonProperty member in found.EnumerateObject())
            {
                if (!_members.TryAdd(member.Name, member.Value))
                {
                    Wrong(member.Name, "is there twice");
                }
            }
        }
        else if (element is { } other)
        {
            Wrong("", $"must be an object, not {Kind(other)}");
        }
    }

    public IReadOnlyList<string> Names => [.. _members.Keys];

    public bool Has(string name) => _members.ContainsKey(name);

    /// <param name="name">Of the member; empty: this object.</param>
    /// <param name="what">Without a subject and a full stop.</param>
    public void Wrong(string name, string what) => _errors.Add($"{Path(name)}: {what}.");

    /// <summary>Notes every member that was not asked for.</summary>
    public void NothingElse()
    {
        foreach (string name in _members.Keys.Where(name => !_asked.Contains(name)))
        {
            Wrong(name, _asked.Count == 0 ? "is not known" : $"is not known; known are {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
        }
    }

    public void Unique(string name, IEnumerable<string> values, string key)
    {
        foreach (IGrouping<string, string> twice in values.Where(value => value.Length > 0).GroupBy(value => value).Where(same => same.Skip(1).Any()))
        {
            Wrong(name, $"{key} '{twice.Key}' is there more than once");
        }
    }

    public ScenarioObject Object(string name) => new(Take(name), Path(name), _errors);

    public IReadOnlyList<ScenarioObject> Objects(string name, int atLeast = 0)
    {
        IReadOnlyList<JsonElement> items = Items(name, atLeast);
        return [.. items.Select((item, at) => new ScenarioObject(item, $"{Path(name)}[{at}]", _errors))];
    }

    /// <summary>A text or a list of at least one; never empty.</summary>
    public IReadOnlyList<string> Texts(string name)
    {
        if (_members.TryGetValue(name, out JsonElement one) && one.ValueKind == JsonValueKind.String)
        {
            _asked.Add(name);
            return [one.GetString()!];
        }

        IReadOnlyList<JsonElement> items = Items(name, atLeast: 1);
        if (items.Any(item => item.ValueKind != JsonValueKind.String))
        {
            Wrong(name, "must be a text or a list of texts");
        }

        return items.Count == 0 ? [""] : [.. items.Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : "")];
    }

    public string Text(string name, Regex form, string what)
    {
        if (Take(name) is not { } value)
        {
            Wrong(name, $"is missing; it is {what}");
            return "";
        }

        if (value.ValueKind == JsonValueKind.String && form.IsMatch(value.GetString()!))
        {
            return value.GetString()!;
        }

        Wrong(name, $"must be {what}, not {value.GetRawText()}");
        return "";
    }

    public long Whole(string name, long absent, long least, long most)
    {
        if (Take(name) is not { } value)
        {
            return absent;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= least && number <= most)
        {
            return number;
        }

        Wrong(name, $"must be a whole number from {least} to {most}, not {value.GetRawText()}");
        return absent;
    }

    public double Number(string name, double absent, double least, double most)
    {
        if (Take(name) is not { } value)
        {
            return absent;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= least && number <= most)
        {
            return number;
        }

        Wrong(name, string.Create(CultureInfo.InvariantCulture, $"must be a number from {least} to {most}, not {value.GetRawText()}"));
        return absent;
    }

    /// <param name="name">Of the member.</param>
    /// <param name="absent">What its absence means; null: it must be there.</param>
    /// <param name="least">The least that it may be.</param>
    /// <param name="most">The most that it may be.</param>
    public TimeSpan Time(string name, TimeSpan? absent, TimeSpan least, TimeSpan most)
    {
        if (Take(name) is not { } value)
        {
            if (absent is null)
            {
                Wrong(name, "is missing; it is a time such as 250ms, 30s, 5m or 1h");
            }

            return absent ?? least;
        }

        if (value.ValueKind == JsonValueKind.String && TimeForm().Match(value.GetString()!) is { Success: true } match)
        {
            double count = double.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            TimeSpan unit = match.Groups[2].Value switch
            {
                "ms" => TimeSpan.FromMilliseconds(1),
                "s" => TimeSpan.FromSeconds(1),
                "m" => TimeSpan.FromMinutes(1),
                _ => TimeSpan.FromHours(1),
            };
            if (count * unit is var time && time >= least && time <= most)
            {
                return time;
            }
        }

        Wrong(name, $"must be a time from {least} to {most}, such as 250ms, 30s, 5m or 1h, not {value.GetRawText()}");
        return absent ?? least;
    }

    private JsonElement? Take(string name)
    {
        _asked.Add(name);
        return _members.TryGetValue(name, out JsonElement value) ? value : null;
    }

    private IReadOnlyList<JsonElement> Items(string name, int atLeast)
    {
        JsonElement? list = Take(name);
        if (list is { ValueKind: not JsonValueKind.Array } other)
        {
            Wrong(name, $"must be a list, not {Kind(other)}");
            return [];
        }

        IReadOnlyList<JsonElement> items = list is { } found ? [.. found.EnumerateArray()] : [];
        if (items.Count < atLeast)
        {
            Wrong(name, $"must be a list of at least {atLeast}");
        }

        return items;
    }

    private string Path(string name) => name.Length == 0 ? (_path.Length == 0 ? "$" : _path) : _path.Length == 0 ? name : $"{_path}.{name}";

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => element.GetRawText(),
    };

    [GeneratedRegex(@"\A([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)\z")]
    private static partial Regex TimeForm();
}
