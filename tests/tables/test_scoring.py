"""Answers beside labels, and beside those of another run: values that are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.job import Job
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.measures.scoring import ERROR, OTHER, score
from h2o_magic.tables.measures.statistics import mcnemar, wilson
from h2o_magic.tables.row_answers import RowAnswers
from h2o_magic.tables.rows.records import Records
from h2o_magic.tables.runner import prepare_job, run_job
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.run import KEY
from h2o_magic.tables.store.base import AnswerStore
from tests.tables.rows_server import RowsServer, rows_server

Map = Callable[..., MappedTable]


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture
def mapped(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Map]:
    """Return what runs a prompt over a table; ``SAY x`` in a row answers x."""
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    server.configure()
    session = Session(OpenAIBackend(f"{server.url}/v1"))
    runs: list[MappedTable] = []

    def run(table: object, prompt: str = "{text}", **options: Any) -> MappedTable:
        options = {"model": "mock", **options}
        runs.append(run_job(prepare_job(session, table, prompt, **options)))
        return runs[-1]

    yield run
    for each in runs:
        each._store.close()
    session.close()


def said(*pairs: tuple[object, object]) -> list[dict[str, object]]:
    """Return rows with labels, and what is answered; None fails."""
    return [
        {"id": n, "label": label, "text": "FAIL" if said is None else f"SAY {said}"}
        for n, (label, said) in enumerate(pairs)
    ]


def test_a_score_has_what_a_hand_finds(mapped: Map) -> None:
    table = said(
        *[("cat", "cat")] * 4,
        *[("cat", "dog")] * 2,
        *[("dog", "dog")] * 3,
        ("dog", "bird"),
        ("dog", None),
        (None, "cat"),
        (" ", "cat"),
    )
    found = mapped(table).score("label")
    assert (found.rows, found.correct, found.errors, found.unlabelled) == (11, 7, 1, 2)
    assert found.accuracy == 7 / 11
    assert found.confusion == {
        "cat": {"cat": 4, "dog": 2},
        "dog": {"dog": 3, OTHER: 1, ERROR: 1},
    }
    cat, dog = found.classes["cat"], found.classes["dog"]
    assert (cat.precision, cat.recall, cat.f1) == (1.0, 4 / 6, 0.8)
    assert (dog.precision, dog.recall, dog.f1) == (3 / 5, 3 / 5, 3 / 5)
    assert found.macro_f1 == pytest.approx(0.7)
    assert found.valid is None


def test_free_text_is_right_whatever_its_case(mapped: Map) -> None:
    found = mapped(said(("Cat ", "cat"), ("DOG", " dog "), ("Cat", "cats"))).score(
        "label"
    )
    assert found.correct == 2


ENUM = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["good", "bad"]},
        "stars": {"type": "integer"},
        "why": {"type": "string"},
    },
    "required": ["mood", "stars", "why"],
}


def answer(mood: str, stars: int) -> str:
    return f'{{"mood": "{mood}", "stars": {stars}, "why": "so"}}'


def test_a_choice_of_the_schema_is_right_only_as_it_is_written(mapped: Map) -> None:
    table = [
        {"mood": "good", "text": f"SAY {answer('good', 1)}"},
        {"mood": "Good", "text": f"SAY {answer('good', 2)}"},
    ]
    found = mapped(table, schema=ENUM).score("mood")
    assert (found.column, found.correct) == ("mood", 1)


@pytest.mark.parametrize("labels", [(1, 3, 5), ("1", "3", "5"), (1.0, 3.0, 5.0)])
def test_numbers_are_the_same_however_they_are_written(
    mapped: Map, labels: tuple[object, ...]
) -> None:
    table = [
        {"stars": label, "text": f"SAY {answer('good', stars)}"}
        for label, stars in zip(labels, (1, 4, 3), strict=True)
    ]
    found = mapped(table, schema=ENUM).score("stars")
    assert found.correct == 1


def test_which_column_is_scored_is_said_or_asked_for(mapped: Map) -> None:
    table = [{"label": "good", "text": f"SAY {answer('good', 1)}"}]
    run = mapped(table, schema=ENUM)
    assert run.score("label", column="mood").correct == 1
    with pytest.raises(ConfigurationError, match="several columns"):
        run.score("label")
    with pytest.raises(ConfigurationError, match=r"got 'moo': did you mean 'mood'"):
        run.score("label", column="moo")
    with pytest.raises(ConfigurationError, match=r"got 'lable': did you mean 'label'"):
        run.score("lable")


WRONG: dict[str, Callable[[MappedTable], object]] = {
    "expected the label, a column's name (str), got int": lambda run: run.score(5),  # type: ignore[arg-type]
    "expected a column's name (str), got int": lambda run: run.score("label", 5),  # type: ignore[arg-type]
    "expected a run over a table (MappedTable), got int": lambda run: run.compare(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("said", "measure"), WRONG.items(), ids=WRONG)
def test_what_is_no_column_or_run_is_refused_in_a_line(
    mapped: Map, said: str, measure: Callable[[MappedTable], object]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        measure(mapped([{"label": "x", "text": "SAY x"}]))
    assert str(refused.value) == said


def test_json_is_valid_at_first_or_after_a_repair(mapped: Map) -> None:
    texts = ["fine", "fine, too", "BAD", "WORSE"]
    table = [{"text": text, "stars": 1} for text in texts]
    found = mapped(table, schema=ENUM).score("stars")
    assert (found.valid_first, found.valid, found.errors) == (0.5, 0.75, 1)
    assert "valid JSON 50.0%, 75.0% after a second request" in repr(found)


def test_a_row_without_a_question_is_none_of_those_whose_json_counts(
    mapped: Map,
) -> None:
    table = [{"text": text, "stars": 1} for text in ("fine", "", None)]
    found = mapped(table, schema=ENUM).score("stars")
    assert (found.valid, found.errors) == (1.0, 2)


def test_rows_without_an_answer_on_both_sides_do_not_differ(mapped: Map) -> None:
    first, second = mapped(said(("x", None))), mapped(said(("x", None)), model="other")
    assert first.compare(second).agreement == 1.0


def test_too_many_labels_are_no_classes(mapped: Map) -> None:
    found = mapped(said(*[(f"w{n}", f"w{n}") for n in range(150)])).score("label")
    assert found.accuracy == 1.0
    assert (found.classes, found.confusion, found.macro_f1) == ({}, {}, None)


class Answers(AnswerStore):
    """Answers of a run, in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, RowAnswer] = {}

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        return {key: "failed" for key in keys if key not in self.kept}

    def close(self) -> None:
        pass


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a", "A", "b", 1, 1.0, "1", True]),
            st.sampled_from([None, "a", "b", "1", "1.0", "c", "true"]),
        ),
        max_size=30,
    )
)
def test_counts_add_up_whatever_is_said(
    pairs: list[tuple[object, str | None]],
) -> None:
    keys = [n.to_bytes(KEY, "big") for n in range(len(pairs))]
    store = Answers()
    for key, (_, said) in zip(keys, pairs, strict=True):
        if said is not None:
            store.kept[key] = RowAnswer(said)
    rows = Records([{"label": label} for label, _ in pairs])
    job = cast(Job, SimpleNamespace(rows=rows, schema=None))
    labelled = [said for label, said in pairs if label is not None]
    if not labelled:
        return
    found = score(RowAnswers(job, store, b"".join(keys)), "label")
    assert (
        found.rows == len(labelled) == sum(map(Counter.total, found.confusion.values()))
    )  # type: ignore[arg-type]
    assert found.errors == labelled.count(None)
    right = sum(row.get(name, 0) for name, row in found.confusion.items())
    assert found.correct == right
    low, high = found.interval
    assert 0 <= low <= found.accuracy <= high <= 1
    assert all(0 <= each.f1 <= 1 for each in found.classes.values())


def test_no_label_at_all_is_refused(mapped: Map) -> None:
    with pytest.raises(ConfigurationError, match="nothing to score"):
        mapped(said((None, "cat"))).score("label")


def test_a_score_is_shown_as_markdown_in_which_labels_mean_nothing(mapped: Map) -> None:
    found = mapped(said(("a|b *c*", "a|b *c*"), ("d", "a|b *c*"))).score("label")
    shown = found._repr_markdown_()
    assert "**accuracy 0.500** · 95 % interval 0.095 to 0.905 · macro-F1 0.333" in shown
    assert "| label | rows | precision | recall | F1 |" in shown
    assert "*c*" not in shown
    assert "a|b *c*" in repr(found)


def test_runs_are_compared_and_tested(mapped: Map) -> None:
    pairs = [("x", "x", "x")] * 5 + [("x", "x", "y")] * 6 + [("y", "x", "y")]
    pairs += [("x", None, "x"), ("x", "y", "z")]
    table = [
        {"label": label, "one": f"SAY {one}" if one else "FAIL", "two": f"SAY {two}"}
        for label, one, two in pairs
    ]
    first, second = mapped(table, "{one}"), mapped(table, "{two}", model="other")
    found = first.compare(second, "label")
    assert (found.rows, found.agreeing) == (14, 5)
    assert (found.first.correct, found.second.correct) == (11, 7)
    assert (found.only_first, found.only_second) == (6, 2)
    assert found.p_value == pytest.approx(2 * (1 + 8 + 28) / 2**8)
    assert (found.first.name, found.second.name) == ("mock", "other")
    assert found.second.prompt_tokens == 20 * 14
    assert [row["row"] for row in found.differences] == [*range(5, 14)]
    assert found.differences[7] == {
        "row": 12,
        "label": "x",
        "first": None,
        "second": "x",
    }


def test_without_a_label_nothing_is_tested(mapped: Map) -> None:
    table = said(("x", "x"), ("x", "y"))
    found = mapped(table).compare(mapped(table, "{text}", model="other"))
    assert (found.agreement, found.p_value) == (1.0, None)
    assert found.differences == []
    assert "McNemar" not in repr(found) + found._repr_markdown_()


def test_all_columns_count_unless_one_is_named(mapped: Map) -> None:
    table = [{"one": f"SAY {answer('good', 1)}", "two": f"SAY {answer('good', 2)}"}]
    first = mapped(table, "{one}", schema=ENUM)
    second = mapped(table, "{two}", schema=ENUM)
    assert first.compare(second).agreement == 0
    assert first.compare(second, column="mood").agreement == 1


def test_runs_over_other_rows_are_refused(mapped: Map) -> None:
    run = mapped(said(("x", "x")))
    with pytest.raises(ConfigurationError, match="same 1 row, got one over 2"):
        run.compare(mapped(said(("x", "x"), ("y", "y"))))
    with pytest.raises(ConfigurationError, match="other columns: text"):
        run.compare(mapped([{"text": "SAY x"}]))


def test_a_plot_has_a_point_for_each_row_that_was_asked(mapped: Map) -> None:
    pytest.importorskip("matplotlib")
    mapped(said(("x", "x")))
    run = mapped(said(*[("x", f"x{n}") for n in range(5)], ("x", "x")))
    rows, latency = run.plot().axes
    assert len(rows.lines[0].get_xdata()) == 6  # and the start
    assert rows.get_title(loc="left").startswith("5 rows in ")
    assert sum(bar.get_height() for bar in latency.patches) == 5
    again = mapped(said(("x", "x")))
    with pytest.raises(ConfigurationError, match="no row was asked"):
        again.plot()


def test_a_plot_says_what_it_lacks(
    mapped: Map, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match="pip install matplotlib"):
        mapped(said(("x", "x"))).plot()


# Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_an_interval_is_that_of_the_textbook(
    right: int, of: int, low: float, high: float
) -> None:
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_the_sum_of_all_that_is_as_unlikely(one: int, other: int) -> None:
    n, few = one + other, min(one, other)
    enumerated = sum(Fraction(math.comb(n, k), 2**n) for k in range(few + 1)) * 2
    assert mcnemar(one, other) == pytest.approx(float(min(enumerated, 1)), rel=1e-9)


def test_mcnemar_takes_many_rows() -> None:
    assert mcnemar(500_000, 500_000) == 1.0
    z = (1000 - 1) / math.sqrt(1_001_000)  # the normal, with its continuity correction
    assert mcnemar(500_000, 501_000) == pytest.approx(math.erfc(z / 2**0.5), rel=1e-4)
    assert mcnemar(0, 100_000) == 0.0
