"""What is promised about `{name}` in a prompt."""

from __future__ import annotations

import json
import keyword
from collections import ChainMap, Counter, defaultdict, namedtuple
from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.expand import expand
from h2o_magic.prompts.fields import (
    Attribute,
    Field,
    Index,
    fields,
    names_in,
)
from h2o_magic.prompts.prompt import Prompt
from tests.prompts.reader import Picture, Reader
from tests.prompts.snippets import NAMES, snippets

Point = namedtuple("Point", "x y")


class Reading:
    """Counts what is done to it."""

    columns = ("a", "b")

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self) -> None:
        self.calls.append("call")

    @property
    def broken(self) -> str:
        raise ValueError("the sensor\nis off")

    @property
    def half_broken(self) -> str:
        raise AttributeError("inner")


VALUES: Mapping[str, object] = {
    "a": 1,
    "b": "two",
    "x": [10, 20],
    "x1": {"k": {"deep": "found"}, "it's": "quoted", "n\n": "line", "}": "brace"},
    "point": Point(3, 4),
    "reading": Reading(),
    "braces": "{a} {{b}} `{x}`",
    "größe": 7,
    "नाम": "name",
    "_": "last",
    "In": ["", "x = 1"],
    "Out": {2: "answer"},
    "Err": {3: "ZeroDivisionError: division by zero"},
}


def written(prompt: Prompt) -> str:
    return prompt.written(lambda _: 10_000, [each.image for each in prompt.images])


def expanded(text: str, values: Mapping[str, object] = VALUES) -> str:
    prompt = expand(text, Reader(values))
    assert prompt.typed == text
    return "".join(
        part if isinstance(part, str) else part.text(99) for part in prompt.parts
    )


def unchanged(text: str, values: Mapping[str, object] = VALUES) -> bool:
    return expanded(text, values) == text


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("{a}", "1"),
        ("{a}{b}", "1two"),
        ("({a}, {b})", "(1, two)"),
        ("{x[0]} {x[-1]} {x[-0]}", "10 20 10"),
        ("{x1['k']['deep']}", "found"),
        ('{x1["k"]["deep"]}', "found"),
        ('{x1["it\'s"]}', "quoted"),
        (r"{x1['it\'s']}", "quoted"),
        (r"{x1['n\n']}", "line"),
        ("{x1['}']}", "brace"),
        ("{point.x}", "3"),
        ("{reading.columns[1]}", "b"),
        ("{größe} {नाम}", "7 name"),
        ("{\ufb01}", "{\ufb01}"),
        ("{_}", "last"),
        (
            "{In[1]} {Out[2]} {Err[3]}",
            "x = 1 answer ZeroDivisionError: division by zero",
        ),
        ("    {a}", "    1"),
    ],
)
def test_a_name_that_exists_is_replaced_by_its_value(prompt: str, sent: str) -> None:
    assert expanded(prompt) == sent


def test_a_name_is_known_by_the_form_that_python_knows_it_by() -> None:
    assert expanded("{\ufb01}", {"fi": "found"}) == "found"


@pytest.mark.parametrize(
    "prompt",
    [
        '{"user": {a}}',
        "costs ${a}",
        "the {a}th",
        "{{a}}",
        "{{x[0]}}",
        "{}",
        "{ }",
        "{0}",
        "{ a }",
        "{a }",
        "{\na\n}",
        "{a!r}",
        "{a:>3}",
        "{a=}",
        "{a()}",
        "{a+1}",
        "{a, b}",
        "{a b}",
        "{a,b}",
        "{x: 1}",
        '{"a": 1}',
        "{x[a]}",
        "{x[0:1]}",
        "{x[ 0 ]}",
        "{x[0.5]}",
        "{x[00]}",
        "{x['a\\x41']}",
        "{x[0]()}",
        "{x[99999999999999999999]}",
        "{a.}",
        "{.a}",
        "{a..b}",
        "{a[}",
        "{a",
        "a}",
        "{*a}",
        "{a;}",
        "{a-b}",
        "{not}",
        "{None}",
        "{a.class}",
        "{{{a}}}",
        "{{{{a}}}}",
        "{{a}",
        "{{ a }}",
        "{{a}, {{b}",
        "{{a | b}}",
        "{{.a}}",
        "{{#a}}",
        "{%a%}",
        "{\\a}",
        "\\{a\\}",
    ],
)
def test_what_is_no_plain_field_stays_although_its_names_exist(prompt: str) -> None:
    assert unchanged(prompt)


@pytest.mark.parametrize("prompt", ["{a.__class__}", "{x[0].__doc__}", "{__name__}"])
def test_what_begins_with_two_underscores_is_never_read(prompt: str) -> None:
    asked: list[str] = []

    def lookup(name: str) -> object:
        asked.append(name)
        return VALUES[name]

    assert expand(prompt, Reader(lookup)) == Prompt.of(prompt)
    assert asked == []


def test_a_value_is_never_expanded_again() -> None:
    assert expanded("{braces} {a}") == "{a} {{b}} `{x}` 1"


@given(st.text(alphabet="{}ab`~ _[]'0.", min_size=1))
def test_no_value_is_expanded_whatever_it_holds(value: str) -> None:
    assert expanded("<{b}>", {"b": value, "a": "never"}) == f"<{value}>"


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("`{a}` {a}", "`{a}` 1"),
        ("``{a} ` {a}`` {a}", "``{a} ` {a}`` 1"),
        ("``{a}` {a}", "``1` 1"),
        ("a ` b {a}", "a ` b 1"),
        ("`one\n{a}` {a}", "`one\n{a}` 1"),
        ("`one\n\n{a}` {a}", "`one\n\n1` 1"),
        ("- `one\n- {a}` {a}", "- `one\n- 1` 1"),
        ("# `one\n{a}`", "# `one\n1`"),
        ("\\`{a}`", "\\`1`"),
        ("\\\\`{a}`", "\\\\`{a}`"),
        ("`\\`{a}`", "`\\`1`"),
        ("```\n{a}\n```\n{a}", "```\n{a}\n```\n1"),
        ("{a}\n```py\n{a}\n", "1\n```py\n{a}\n"),
        ("```\n{a}", "```\n{a}"),
        ("~~~\n{a}\n```\n{a}\n~~~\n{a}", "~~~\n{a}\n```\n{a}\n~~~\n1"),
        ("````\n```\n{a}\n```\n{a}\n````\n{a}", "````\n```\n{a}\n```\n{a}\n````\n1"),
        ("  ```\n  {a}\n  ```\n  {a}", "  ```\n  {a}\n  ```\n  1"),
        ("- ```\n  {a}\n  ```\n- {a}", "- ```\n  {a}\n  ```\n- 1"),
        (
            "1. so:\n\n   ```\n   {a}\n   ```\n{a}",
            "1. so:\n\n   ```\n   {a}\n   ```\n1",
        ),
        ("> ```\n> {a}\n> ```\n> {a}", "> ```\n> {a}\n> ```\n> 1"),
        ("> ```\n> {a}\n{a}", "> ```\n> {a}\n1"),
        ("```{a}``` {a}", "```{a}``` 1"),
        ("```md\n    ```\n{a}\n```\n{a}", "```md\n    ```\n{a}\n```\n1"),
        ("```\r\n{a}\r\n```\r\n{a}", "```\r\n{a}\r\n```\r\n1"),
        ("~~{a}~~", "~~1~~"),
        ("``` {a}\n{a}\n```", "``` {a}\n{a}\n```"),
    ],
)
def test_nothing_is_expanded_in_code(prompt: str, sent: str) -> None:
    assert expanded(prompt) == sent


def words() -> st.SearchStrategy[str]:
    names = st.from_regex(r"[a-z_]{1,8}[0-9]?", fullmatch=True)
    return names.filter(lambda name: not keyword.iskeyword(name))


def json_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return JSON whose keys and strings are like `text`."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | text,
        lambda inner: st.lists(inner) | st.dictionaries(text, inner),
        max_leaves=20,
    ).map(json.dumps)


TEMPLATES = st.sampled_from(
    [
        "interface {0} {{ {1}: {{ [key: string]: {0} }}; f({{{1}}}: {0}): void }}",
        "const {{{0}, {1}}} = props; return <b style={{{{{0}: 1}}}}>{{{1}}}</b>;",
        r"\frac{{{0}}}{{\sqrt{{{1}}}}} \begin{{{0}}} x_{{{1}}}^{{{{{0}}}}} \end{{{0}}}",
        "f\"{{{0}}} {{{1}!r:>{{{0}}}}} {{{{{1}}}}} {{{0}['{1}']}} {{{0}.{1}()}}\"",
        ".{0} {{ {1}: 1px }} @media ({0}) {{.{1}{{{0}:{1}}}}}",
        "{{% for {0} in {1} %}}{{{{ {0}.{1} }}}}{{{{{1}}}}}{{% endfor %}}",
        "{{{{.{0}}}}} {{{{range ${1} := .{0}}}}}{{{{end}}}} {{{{{{{1}}}}}}}",
        (
            'Traceback (most recent call last):\n  File "{0}", line 1\n'
            "KeyError: {{'{0}': {{'{1}': {{{0}}}}}}}"
        ),
        "for f in ${{{0}}} ${{{1}:-x}} ${{#{0}}} {{{0},{1}}} {{1..3}}; do",
        r"^[a-z]{{1,3}}\d{{2}}(?P<{0}>{1}{{3,}}){{{0}}}$",
        "{{{0}[0]['{1}']}} {{{0}.{1}}} {{{{{0}}}}} `{{{1}}}`",
    ]
)


@st.composite
def source_texts(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.tuples(TEMPLATES, words(), words()), max_size=4))
    return "\n".join(template.format(one, two) for template, one, two in pieces)


@given(
    json_of(st.text()) | source_texts() | st.text(alphabet="{}`~ab1.[]'\"\\\n\r>- :!")
)
@example("{{{{{{}}{{{}}}")
@example("{a}\r{b}\r\n\x0b{c}\u2028{d}")
def test_a_prompt_without_known_names_comes_through_byte_for_byte(text: str) -> None:
    prompt = expand(text, Reader({}))
    assert (prompt.parts, prompt.typed) == (((text,) if text else ()), text)


@given(json_of(st.text().filter(lambda text: "{" not in text)))
def test_json_comes_through_although_every_name_exists(text: str) -> None:
    assert expand(text, Reader(lambda _: "replaced")).parts == (text,)


def test_the_lookup_is_asked_once_for_each_field() -> None:
    asked: list[str] = []

    def lookup(name: str) -> object:
        asked.append(name)
        return VALUES[name]

    expand("{a} {x[0]} {a} {no_such} `{a}`", Reader(lookup))
    assert asked == ["a", "x", "a", "no_such"]


def test_a_value_is_never_called() -> None:
    reading = Reading()
    expanded("{r} {r.columns} {r.calls} {r()}", {"r": reading})
    assert reading.calls == []


def test_a_value_is_described_under_its_name_and_for_the_question() -> None:
    reader = Reader(VALUES)
    expand("Is {x1['k']} good?", reader)
    assert reader.described == [("x1['k']", "Is {x1['k']} good?")]


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        (
            "{reading.colums}",
            (
                "`{reading.colums}`: Reading has no attribute 'colums': "
                "did you mean 'columns'?"
            ),
        ),
        ("{df.nope}", "DataFrame has no attribute 'nope': known: e, price, unit rate"),
        ("{df.pric}", "has no attribute 'pric': did you mean 'price'?"),
        ("{df.unit_rate}", "no attribute 'unit_rate': did you mean 'unit rate'?"),
        ("{df.E}", "has no attribute 'E': did you mean 'e'?"),
        ("{df.colums}", "has no attribute 'colums': did you mean 'columns'?"),
        ("{df.sort_value}", "'sort_value': did you mean 'sort_values'?"),
        ("{wide.nope}", "DataFrame has no attribute 'nope'"),
        ("{wide.n}", "DataFrame has no attribute 'n'"),
        ("{wide.init}", "DataFrame has no attribute 'init'"),
        (
            "{point.z}",
            "`{point.z}`: Point has no attribute 'z': known: count, index, x, y",
        ),
        ("{x[5]}", "`{x[5]}`: [5] raised IndexError: list index out of range"),
        ("{x1['q']}", "`{x1['q']}`: dict has no key 'q': known: it's, k, n, }"),
        ("{Out[9]}", "`{Out[9]}`: dict has no key 9"),
        ("{a[0]}", "`{a[0]}`: [0] raised TypeError: 'int' object is not subscriptable"),
        ("{reading.broken}", "reading 'broken' raised ValueError: the sensor is off"),
        ("{reading.half_broken}", "reading 'half_broken' raised AttributeError: inner"),
    ],
)
def test_a_path_that_cannot_be_followed_is_a_clear_error(
    prompt: str, problem: str
) -> None:
    df = pd.DataFrame({"price": [1], "unit rate": [2], "e": [3]})
    wide = pd.DataFrame({f"column{n}": [n] for n in range(40)})
    with pytest.raises(ConfigurationError) as caught:
        expanded(f"Look at {prompt}.", {**VALUES, "df": df, "wide": wide})
    assert str(caught.value).endswith(problem)


def test_a_key_error_of_an_index_is_an_error_and_no_unknown_name() -> None:
    with pytest.raises(ConfigurationError):
        expanded("{x1['none']}")


def test_reading_a_key_that_is_not_there_makes_none() -> None:
    made = defaultdict(list, {"a": [1]})
    values = {"made": made, "both": ChainMap(made), "few": Counter("a")}
    assert expanded("{made['a'][0]} {few['b']}", values) == "1 0"
    for name in ("made", "both"):
        with pytest.raises(ConfigurationError, match="has no key 'q': known: a"):
            expanded(f"{{{name}['q']}}", values)
    assert made == {"a": [1]}


def test_an_error_lists_no_endless_names() -> None:
    many = {"d": {f"key{n}": n for n in range(10_000)}}
    with pytest.raises(ConfigurationError) as caught:
        expanded("{d['zzz']}", many)
    assert str(caught.value) == "`{d['zzz']}`: dict has no key 'zzz'"


TABLE = "head\n| a |"


class Rows:
    def __str__(self) -> str:
        return TABLE


def test_a_long_value_keeps_its_name_and_stands_once_below_the_question() -> None:
    prompt = expand(
        "Which of {x}?\nAnd why {x}, {a} times?", Reader({"x": TABLE, "a": 2})
    )
    assert written(prompt) == (
        f"Which of `x`?\nAnd why `x`, 2 times?\n\n`x`:\n\n{TABLE}"
    )
    assert prompt.names == ("x",)


def test_a_text_with_a_line_of_its_own_stands_there() -> None:
    assert written(expand("See:\n{x}\nDone.", Reader({"x": TABLE}))) == (
        f"See:\n{TABLE}\nDone."
    )
    assert written(expand("{x}", Reader({"x": TABLE}))) == TABLE


def test_another_value_with_a_line_of_its_own_stands_there_under_its_name() -> None:
    prompt = expand("{x}\n\nWhich is it?", Reader({"x": Rows()}))
    assert written(prompt) == f"`x`:\n\n{TABLE}\n\nWhich is it?"
    assert prompt.names == ("x",)


def test_what_follows_a_colon_says_how_much_is_meant() -> None:
    found = expand("{x:rows} {x:5} {x:schema} {x}", Reader({"x": [1]}))
    assert [each.value.text(99) for each in found.appended] == [
        "[1]rows",
        "[1]5",
        "[1]schema",
    ]
    assert found.parts[-1] == "[1]"


def test_how_much_of_a_number_or_a_text_is_javascript() -> None:
    assert expanded("{a:1} {b:rows}") == "{a:1} {b:rows}"


def test_a_mistyped_amount_is_noted() -> None:
    prompt = expand("See {x:row} and {x:red}.", Reader(VALUES))
    assert prompt.notes == ("`{x:row}`: did you mean `{x:rows}`?",)
    assert prompt.parts == ("See {x:row} and {x:red}.",)


def test_a_name_that_is_no_variable_stays_and_is_noted_once() -> None:
    prompt = expand("Summarize {dff}, and {dff} again, and {a}.", Reader(VALUES))
    assert prompt.notes == ("`{dff}` is not a variable",)
    assert written(prompt) == "Summarize {dff}, and {dff} again, and 1."


@pytest.mark.parametrize(
    "field", ["{x + 1}", "{len(x)}", "{x.real}", "{x:.2f}", "{x!r}", "{[y for y in x]}"]
)
def test_an_expression_is_not_evaluated_but_noted(field: str) -> None:
    prompt = expand(f"What is {field}?", Reader({"x": 1}))
    assert written(prompt) == f"What is {field}?" or field == "{x.real}"
    noted = (f"`{field}` was not evaluated: add `--eval`, or set `evaluate`",)
    assert prompt.notes == (() if field == "{x.real}" else noted)


@pytest.mark.parametrize("evaluates", [True, False])
def test_a_mistyped_name_in_an_expression_is_noted(evaluates: bool) -> None:
    prompt = expand("What is {x + yy} now?", Reader({"x": 1}, evaluates=evaluates))
    assert written(prompt) == "What is {x + yy} now?"
    assert prompt.notes == ("`{x + yy}`: `yy` is not a variable",)
    prompt = expand("Is it {x + yy + zz}?", Reader({"x": 1}, evaluates=evaluates))
    assert prompt.notes == ("`{x + yy + zz}`: `yy` and `zz` are not variables",)


def test_an_expression_is_evaluated_where_that_is_switched_on() -> None:
    reader = Reader({"x": 1}, evaluates=True)
    assert written(expand("{x + 1} and {x:.2f}", reader)) == "2 and 1.00"
    with pytest.raises(
        ConfigurationError, match=r"`\{x / 0\}` raised ZeroDivisionError"
    ):
        expand("{x / 0}", reader)


@pytest.mark.parametrize(
    "text", ["{y + 1}", "{len(q)}", "{max(1, 2)}", "{x | x > 0}", "{x, x}"]
)
def test_what_names_no_variable_is_no_expression(text: str) -> None:
    assert expand(text, Reader({"x": 1}, evaluates=True)) == Prompt.of(text)


@pytest.mark.parametrize("required", [True, False])
def test_a_picture_keeps_its_name_and_goes_along(required: bool) -> None:
    prompt = expand("What is in {fig}?", Reader({"fig": Picture(required)}))
    assert [each.required for each in prompt.images] == [required]
    assert written(prompt).startswith("What is in `fig`?")
    assert written(prompt).endswith("Images: `fig`")
    assert bool(prompt.appended) is not required


@pytest.mark.parametrize("snippet", snippets())
def test_code_formulas_and_templates_stay_byte_for_byte(snippet: str) -> None:
    """Whether the names that their braces have exist, or not."""
    for values in ({}, dict.fromkeys(NAMES, "replaced")):
        assert expand(snippet, Reader(values)) == Prompt.of(snippet)


SENTENCES = """
Which column of {x} has the most missing values?
Data: {x}
- {x}
> {x}
| {x} | {y} |
Translate "{x}" into French, and '{y}' too.
Explain ({x}) to me.
for each row of {x}: say what it is
if {x} is even, say so
Is {x}'s mean above 3?
Draw {x}-{y} as a chart
**{x}** and *{y}*
With k={x} and n = {y}, what is the sum?
return the rows of {x} where a > 3
print {x} as a table, export {y} to CSV
from {x} make a list
class {x} has which methods?
let k be {x}; what follows for {y}?
Use the table {x} (see above) and the text {y}.
The error was {x}. How do I fix it?
Write about {x} in {y} words
Describe {x['a']} and {x.b.c} and {y[0]}
Costs $5 for {x} and $6 for {y}
<document>{x}</document>
50% of {x}
What is {x}/{y} in percent?
Write to {x}@{y}
"""


@pytest.mark.parametrize("sentence", SENTENCES.strip().split("\n"))
def test_every_name_in_a_sentence_is_found(sentence: str) -> None:
    assert len(list(fields(sentence))) == sentence.count("{")


def test_a_field_knows_its_place_and_its_path() -> None:
    (field,) = fields("Look: {rows[0]['a'].b}")
    assert field == Field(
        start=6,
        end=22,
        text="{rows[0]['a'].b}",
        name="rows",
        path=(Index(0), Index("a"), Attribute("b")),
        expression="rows[0]['a'].b",
    )
    assert field.expression == "rows[0]['a'].b"


def test_the_names_in_a_prompt_are_told_once_in_order() -> None:
    assert names_in("{b} {a.c} `{d}` {b[0]} {e!r} {f}") == ("b", "a", "f")


@pytest.mark.parametrize(
    "piece", ["{", "{a", "`", "``` ` `` ", "{a[", "{a['", "\\`", "> "]
)
def test_a_long_text_takes_time_in_proportion(piece: str) -> None:
    # Quadratic work would not come to an end here.
    text = piece * 100_000
    assert expanded(text) == text
