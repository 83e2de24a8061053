"""What is promised about `{name}` in a prompt."""

from __future__ import annotations

import json
import keyword
from collections import ChainMap, Counter, defaultdict, namedtuple
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.expand import Inserted, Prompt, expand
from h2o_magic.prompts.fields import Attribute, Field, Index, fields, names_in

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


def show(value: object, expression: str) -> str:
    return str(value)


def expanded(text: str, values: Mapping[str, object] = VALUES) -> str:
    return expand(text, values.__getitem__, show).text


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
        ('{"user": {a}}', '{"user": 1}'),
        ("costs ${a}", "costs $1"),
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

    assert expand(prompt, lookup, show).text == prompt
    assert asked == []


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("{{a}}", "{a}"),
        ("{{x[0]}}", "{x[0]}"),
        ("{{a.no_such}}", "{a.no_such}"),
        ("{{no_such}}", "{{no_such}}"),
        ('{"a": {{a}}}', '{"a": {a}}'),
        ("{a} {{a}} {a}", "1 {a} 1"),
    ],
)
def test_double_braces_are_the_escape_of_a_name_that_exists(
    prompt: str, sent: str
) -> None:
    assert expanded(prompt) == sent


@pytest.mark.parametrize("earlier", ["{a}", "say `{a}`", "{{a}}"])
def test_what_stood_in_braces_before_an_edit_stays(earlier: str) -> None:
    expanded = expand("{a} {b}", VALUES.__getitem__, show, earlier=earlier)
    assert expanded.text == "{a} two"
    assert [inserted.expression for inserted in expanded.inserted] == ["b"]


def test_an_escaped_field_is_not_read() -> None:
    assert expanded("{{reading.broken}}") == "{reading.broken}"


def test_a_value_is_never_expanded_again() -> None:
    assert expanded("{braces} {a}") == "{a} {{b}} `{x}` 1"


@given(st.text(alphabet="{}ab`~\n _[]'0."))
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
    assert expand(text, {}.__getitem__, show) == Prompt(text)


@given(json_of(st.text().filter(lambda text: "{" not in text)))
def test_json_comes_through_although_every_name_exists(text: str) -> None:
    assert expand(text, lambda _: "replaced", show).text == text


def test_the_lookup_is_asked_once_for_each_field() -> None:
    asked: list[str] = []

    def lookup(name: str) -> object:
        asked.append(name)
        return VALUES[name]

    expand("{a} {x[0]} {a} {no_such} {{b}} `{a}` {a!r}", lookup, show)
    assert asked == ["a", "x", "a", "no_such", "b"]


def test_a_value_is_never_called() -> None:
    reading = Reading()
    expanded("{r} {r.columns} {r.calls} {r()}", {"r": reading})
    assert reading.calls == []


def test_what_was_put_in_is_told() -> None:
    prompt = expand("{x[0]} {{a}} {b}", VALUES.__getitem__, show)
    assert prompt.inserted == (Inserted("x[0]", "int", 2), Inserted("b", "str", 3))


def test_the_expression_is_given_to_what_shows_the_value() -> None:
    shown = expand("{x1['k']}", VALUES.__getitem__, lambda _, how: f"<{how}>")
    assert shown.text == "<x1['k']>"


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
    with pytest.raises(ConfigurationError) as caught:
        expanded(f"Look at {prompt}.")
    assert problem in str(caught.value)


def test_a_key_error_of_an_index_is_an_error_and_no_unknown_name() -> None:
    with pytest.raises(ConfigurationError):
        expanded("{x1['none']}")


def test_reading_a_key_that_is_not_there_makes_none() -> None:
    made = defaultdict(list, {"a": [1]})
    lookup = {"made": made, "both": ChainMap(made), "few": Counter("a")}.__getitem__
    assert (
        expand("{made['a'][0]} {few['b']}", lookup, lambda v, _: str(v)).text == "1 0"
    )
    for name in ("made", "both"):
        with pytest.raises(ConfigurationError, match="has no key 'q': known: a"):
            expand(f"{{{name}['q']}}", lookup, lambda v, _: str(v))
    assert made == {"a": [1]}


def test_an_error_lists_no_endless_names() -> None:
    many = {"d": {f"key{n}": n for n in range(10_000)}}
    with pytest.raises(ConfigurationError) as caught:
        expanded("{d['zzz']}", many)
    assert str(caught.value) == "`{d['zzz']}`: dict has no key 'zzz'"


def test_a_refusal_to_show_a_value_comes_through() -> None:
    def refuse(value: object, expression: str) -> str:
        raise ConfigurationError(f"not {expression}")

    with pytest.raises(ConfigurationError, match="not a"):
        expand("{a}", VALUES.__getitem__, refuse)


TABLE = "head\n| a |"


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("See {x} here.", f"See \n\n{TABLE}\n\n here."),
        ("See {x}", f"See \n\n{TABLE}"),
        ("See:\n{x}\nDone.", f"See:\n{TABLE}\nDone."),
        ("{x}", TABLE),
    ],
)
def test_a_value_of_several_lines_stands_on_lines_of_its_own(
    prompt: str, sent: str
) -> None:
    assert expand(prompt, VALUES.__getitem__, lambda *_: TABLE).text == sent


def test_a_string_of_several_lines_stands_as_it_is() -> None:
    assert expanded("<{s}>", {"s": "a\nb"}) == "<a\nb>"


def test_a_field_knows_its_place_and_its_path() -> None:
    (field,) = fields("Look: {rows[0]['a'].b}")
    assert field == Field(
        start=6,
        end=22,
        name="rows",
        path=(Index(0), Index("a"), Attribute("b")),
        text="{rows[0]['a'].b}",
    )
    assert field.expression == "rows[0]['a'].b"


def test_the_names_in_a_prompt_are_told_once_in_order() -> None:
    assert names_in("{b} {a.c} `{d}` {b[0]} {e!r} {{f}}") == ("b", "a", "f")


@pytest.mark.parametrize(
    "piece", ["{", "{a", "`", "``` ` `` ", "{a[", "{a['", "\\`", "> "]
)
def test_a_long_text_takes_time_in_proportion(piece: str) -> None:
    # Quadratic work would not come to an end here.
    text = piece * 100_000
    assert expanded(text) == text
