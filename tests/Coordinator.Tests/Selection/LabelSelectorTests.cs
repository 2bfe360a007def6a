using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;

namespace TwinKernel.Fleet.Coordinator.Tests.Selection;

public sealed class LabelSelectorTests
{
    private static readonly Dictionary<string, string> _labels = new()
    {
        ["zone"] = "a",
        ["pool"] = "web",
        ["rack"] = "r2",
        ["example.org/tier"] = "",
    };

    [Theory]
    [InlineData("*", true)]
    [InlineData("zone=a", true)]
    [InlineData("zone==b", false)]
    [InlineData("zone=a,pool in (web,db),!experimental,rack!=r1", true)]
    [InlineData(" zone = a , pool in ( db , web ) ", true)]
    [InlineData("pool notin (web)", false)]
    [InlineData("absent!=x", true)]
    [InlineData("absent notin (x,y)", true)]
    [InlineData("absent=x", false)]
    [InlineData("absent", false)]
    [InlineData("!zone", false)]
    [InlineData("example.org/tier", true)]
    [InlineData("example.org/tier=", true)]
    [InlineData("zone=A", false)]
    [InlineData("zone=a,zone=b", false)]
    [InlineData("in in (in)", false)]
    public void Should_match_as_in_Kubernetes(string text, bool matches) => Read(text).Matches(_labels).ShouldBe(matches);

    [Theory]
    [InlineData("zone=a , pool in (web)", "pool=web,zone=a")]
    [InlineData("b in (y,x,y),a notin (z)", "a!=z,b in (x,y)")]
    [InlineData("! x,x,x", "!x,x")]
    [InlineData(" * ", "*")]
    public void Should_have_one_canonical_text(string text, string canonical)
    {
        Read(text).ToString().ShouldBe(canonical);
        Read(text).ShouldBe(Read(canonical));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("   ", 1)]
    [InlineData("zone=a,", 8)]
    [InlineData("zone=a,,pool=b", 8)]
    [InlineData("zone=a b", 8)]
    [InlineData("-zone=a", 1)]
    [InlineData("zone=-a", 6)]
    [InlineData("zone in a", 9)]
    [InlineData("zone in (a", 11)]
    [InlineData("zone in ()", 10)]
    [InlineData("zone in (a,,b)", 12)]
    [InlineData("zone in (a!b)", 11)]
    [InlineData("!zone=a", 6)]
    [InlineData("zone<a", 1)]
    [InlineData("zone ~ a", 6)]
    [InlineData("Example/zone=a", 1)]
    [InlineData("a/b/c", 1)]
    [InlineData("(a)", 1)]
    public void Should_tell_where_an_error_is(string text, int position)
    {
        List<Violation> violations = [];
        LabelSelector.Parse(text, "waves[1].label", violations).ShouldBeNull();
        Violation only = violations.ShouldHaveSingleItem();
        only.Field.ShouldBe("waves[1].label");
        only.Message.ShouldStartWith($"At {position}: ");
    }

    [Fact]
    public void Should_tell_all_errors_at_once()
    {
        List<Violation> violations = [];
        LabelSelector.Parse("zone=$,pool in (we b,d/b,!),ok=1,!x=2,", "selector", violations).ShouldBeNull();
        violations.Select(one => one.Message[..one.Message.IndexOf(':')]).ShouldBe(["At 6", "At 20", "At 36", "At 39"]);
    }

    [Fact]
    public void Should_limit_the_lengths_of_labels()
    {
        string longest = new('a', LabelRules.LongestName);
        LabelRules.KeyTrouble(longest).ShouldBeNull();
        LabelRules.KeyTrouble(longest + "a").ShouldNotBeNull();
        LabelRules.KeyTrouble(new string('p', 253) + "/" + longest).ShouldBeNull();
        LabelRules.KeyTrouble(new string('p', 254) + "/a").ShouldNotBeNull();
        LabelRules.ValueTrouble(longest + "a").ShouldNotBeNull();

        List<Violation> violations = [];
        LabelRules.Check(new Dictionary<string, string> { ["zone"] = "ä", ["a b"] = "_" }, "labels", violations);
        violations.Select(one => one.Field).ShouldBe(["labels[a b]", "labels[a b]", "labels[zone]"]);

        violations.Clear();
        LabelSelector.Parse(new string('a', LabelSelector.LongestText + 1), "selector", violations).ShouldBeNull();
        violations.ShouldHaveSingleItem();
    }

    [Fact]
    public void Should_mean_the_same_after_its_canonical_text_was_read() =>
        Prop.ForAll(Selectors().ToArbitrary(), Labels().ToArbitrary(), (selector, labels) =>
        {
            LabelSelector again = Read(selector.ToString());
            again.ShouldBe(selector);
            again.ToString().ShouldBe(selector.ToString());
            again.Matches(labels).ShouldBe(selector.Requirements.All(one => Holds(one, labels)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Should_read_any_text_to_a_selector_or_to_errors() =>
        Prop.ForAll(Texts().ToArbitrary(), text =>
        {
            List<Violation> violations = [];
            LabelSelector? selector = LabelSelector.Parse(text, "selector", violations);
            (selector is null).ShouldBe(violations.Count > 0, text);
            violations.Select(one => one.Message).ShouldBeUnique();
            if (selector is not null)
            {
                Read(selector.ToString()).ShouldBe(selector);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    private static bool Holds(LabelRequirement one, Dictionary<string, string> labels) => one.Test switch
    {
        LabelTest.In => one.Values.Any(value => labels.Contains(new(one.Key, value))),
        LabelTest.NotIn => !one.Values.Any(value => labels.Contains(new(one.Key, value))),
        LabelTest.Present => labels.ContainsKey(one.Key),
        _ => !labels.ContainsKey(one.Key),
    };

    private static LabelSelector Read(string text)
    {
        List<Violation> violations = [];
        LabelSelector? selector = LabelSelector.Parse(text, "selector", violations);
        violations.ShouldBeEmpty(text);
        return selector.ShouldNotBeNull();
    }

    private static Gen<string> Names() => Gen.Elements("a", "b", "zone", "in", "notin", "x.y/z", "A-1_2.3");

    private static Gen<string> Values() => Gen.Elements("", "a", "b", "web", "in", "9");

    private static Gen<LabelSelector> Selectors() =>
        from requirements in (
            from key in Names()
            from test in Gen.Elements(LabelTest.In, LabelTest.NotIn, LabelTest.Present, LabelTest.Absent)
            from values in Values().NonEmptyListOf()
            select new LabelRequirement(key, test, test switch
            {
                LabelTest.Present or LabelTest.Absent => [],
                /* Among several none is empty: the text has no way to say it. */
                _ => values.Distinct().Count() == 1 ? [values[0]] : [.. values.Where(value => value.Length > 0)],
            })).ListOf()
        select new LabelSelector(requirements);

    private static Gen<Dictionary<string, string>> Labels() =>
        from pairs in (from key in Names() from value in Values() select (key, value)).ListOf()
        select pairs.GroupBy(pair => pair.key).ToDictionary(same => same.Key, same => same.First().value);

    private static Gen<string> Texts() =>
        from parts in Gen.Elements("a", "zone", " ", ",", "=", "!=", "!", "(", ")", " in ", " notin ", "-", "x/y", "*", "ä").ListOf()
        select string.Concat(parts);
}
