using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Selection;

/// <summary>Reads one selector; after an error it goes on behind the next comma outside of parentheses.</summary>
internal sealed class SelectorReader(string text, string field, ICollection<Violation> violations)
{
    private readonly List<LabelRequirement> _requirements = [];
    private int _at;
    private int _open;
    private bool _wrong;

    public LabelSelector? Read()
    {
        if (text.Length > LabelSelector.LongestText)
        {
            Complain(0, $"a selector has at most {LabelSelector.LongestText} characters, this one {text.Length}.");
            return null;
        }

        if (text.Trim() == LabelSelector.EverythingText)
        {
            return LabelSelector.Everything;
        }

        if (string.IsNullOrWhiteSpace(text))
        {
            Complain(0, $"the selector is empty; '{LabelSelector.EverythingText}' selects every guest.");
            return null;
        }

        do
        {
            if (!Requirement())
            {
                SkipRequirement();
            }
        }
        while (Take(','));

        return _wrong ? null : new LabelSelector(_requirements);
    }

    private bool Requirement()
    {
        SkipBlanks();
        bool absent = Take('!');
        if (Key() is not { } key)
        {
            return false;
        }

        SkipBlanks();
        if (absent || AtEnd || text[_at] == ',')
        {
            _requirements.Add(new LabelRequirement(key, absent ? LabelTest.Absent : LabelTest.Present, []));
            return AtRequirementEnd(absent ? "nothing may follow a label that must not be there" : "");
        }

        int from = _at;
        if (Take('='))
        {
            Take('=');
            return Value(key, LabelTest.In);
        }

        if (text.AsSpan(_at).StartsWith("!="))
        {
            _at += 2;
            return Value(key, LabelTest.NotIn);
        }

        string word = Word();
        if (word is "in" or "notin")
        {
            return Values(key, word, word == "in" ? LabelTest.In : LabelTest.NotIn);
        }

        _at = from;
        return Complain(from, $"'{Shown(from)}' cannot follow '{key}'; =, !=, in (...), notin (...) or a comma can.");
    }

    private string? Key()
    {
        SkipBlanks();
        int from = _at;
        string key = Word();
        string? trouble = key.Length == 0 && !AtEnd && text[_at] != ','
            ? $"a label is expected, not '{Shown(_at)}'."
            : key.Length == 0 ? "a label is expected." : LabelRules.KeyTrouble(key);
        if (trouble is null)
        {
            return key;
        }

        Complain(from, trouble);
        return null;
    }

    private bool Value(string key, LabelTest test)
    {
        SkipBlanks();
        int from = _at;
        string value = Word();
        if (LabelRules.ValueTrouble(value) is { } trouble)
        {
            return Complain(from, trouble);
        }

        _requirements.Add(new LabelRequirement(key, test, [value]));
        return AtRequirementEnd("one value may follow; for several write in (...)");
    }

    private bool Values(string key, string word, LabelTest test)
    {
        SkipBlanks();
        if (!Take('('))
        {
            return Complain(_at, $"'(' is expected after {word}.");
        }

        _open = 1;

        List<string> values = [];
        bool right = true;
        do
        {
            SkipBlanks();
            int from = _at;
            string value = Word();
            SkipBlanks();
            if (value.Length == 0 && !AtEnd && !",)".Contains(text[_at]))
            {
                break;
            }

            if (value.Length == 0)
            {
                right = Complain(from, "a value is expected.");
            }
            else if (LabelRules.ValueTrouble(value) is { } trouble)
            {
                right = Complain(from, trouble);
            }

            values.Add(value);
        }
        while (Take(','));

        if (!Take(')'))
        {
            return Complain(_at, AtEnd ? "')' is missing." : $"a comma or ')' is expected, not '{Shown(_at)}'.");
        }

        _open = 0;
        if (right)
        {
            _requirements.Add(new LabelRequirement(key, test, values));
        }

        return AtRequirementEnd("a comma is expected");
    }

    private bool AtRequirementEnd(string otherwise)
    {
        SkipBlanks();
        return AtEnd || text[_at] == ',' || Complain(_at, $"{otherwise}, not '{Shown(_at)}'.");
    }

    private void SkipRequirement()
    {
        for (; !AtEnd && (_open > 0 || text[_at] != ','); _at++)
        {
            _open = text[_at] switch { '(' => _open + 1, ')' => Math.Max(0, _open - 1), _ => _open };
        }

        _open = 0;
    }

    /// <summary>Everything up to a blank or a sign of the language, right or wrong.</summary>
    private string Word()
    {
        int from = _at;
        while (!AtEnd && !char.IsWhiteSpace(text[_at]) && !"=!,()".Contains(text[_at]))
        {
            _at++;
        }

        return text[from.._at];
    }

    private string Shown(int from) => text[from..Math.Min(text.Length, from + 20)];

    private bool AtEnd => _at >= text.Length;

    private void SkipBlanks()
    {
        while (!AtEnd && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
    }

    private bool Take(char sign)
    {
        if (AtEnd || text[_at] != sign)
        {
            return false;
        }

        _at++;
        return true;
    }

    private bool Complain(int at, string what)
    {
        _wrong = true;
        violations.Add(new Violation(field, $"At {at + 1}: {what}"));
        return false;
    }
}
