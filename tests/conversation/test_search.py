"""Searching all turns of a notebook."""

from __future__ import annotations

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.conversation.store import turns


@pytest.fixture
def session() -> Session:
    return Session(record=Record(None, "notebook"))


def fill(session: Session, *texts: tuple[str, str], thread: str = "main") -> None:
    before = len(session.record.newest())
    asked = [
        Turn(question, answer, asked_at=float(before + place))
        for place, (question, answer) in enumerate(texts, 1)
    ]
    session.record.add([Thread(thread, tuple(asked))])


def found(session: Session, text: str) -> list[str]:
    return [hit.turn.question for hit in session.search(text)]


def test_questions_and_answers_of_all_threads_are_found_newest_first(
    session: Session,
) -> None:
    fill(session, ("one", "a table"), ("two", "nothing"))
    fill(session, ("Table three", "no"), thread="ideas")
    hits = session.search("table")
    assert [(h.thread, h.title, h.turn.number) for h in hits] == [
        ("ideas", "Table three", 1),
        ("main", "one", 1),
    ]
    assert [h.snippet for h in hits] == [("", "Table", " three"), ("a ", "table", "")]
    assert hits[0].turn.id == session.turn(1, "ideas").id
    assert session.search("table", most=1) == hits[:1]


@pytest.mark.parametrize(
    "text", ["CAFE", "café", "cafe\u0301", "strasse STRAẞE", "naive ﬁn", "100%_"]
)
def test_case_and_accents_do_not_count_and_signs_mean_themselves(
    session: Session, text: str
) -> None:
    fill(session, ("Das Café in der Straße", "naïve FIN 100%_ [x]"), ("other", "xyz"))
    assert found(session, text) == ["Das Café in der Straße"]


@pytest.mark.parametrize("text", ["cafe xyz", "%", "_", "100x", "", "  ", "\u0301"])
def test_a_turn_without_one_of_the_words_is_not_found(
    session: Session, text: str
) -> None:
    fill(session, ("Das Café", "100"), ("other", "xyz"))
    assert found(session, text) == []


def test_what_was_removed_is_not_found(session: Session) -> None:
    fill(session, ("one", ""), ("two one", ""))
    session.drop(1)
    assert found(session, "one") == ["two one"]
    session.reset()
    assert found(session, "one") == []
    session.undo()
    assert found(session, "one") == ["two one"]


def test_the_snippet_is_around_the_first_word_and_marks_all(session: Session) -> None:
    answer = f"{'früher ' * 60}ein Cafe\u0301 und\n\nein STRAßENcafé {'später ' * 60}"
    fill(session, ("?", answer))
    (hit,) = session.search("cafe strasse")
    assert hit.snippet[1::2] == ("Cafe\u0301", "STRAßE", "café")
    text = "".join(hit.snippet)
    assert text.startswith("…früher ")
    assert " Cafe\u0301 und ein STRAßENcafé später" in text
    assert text.endswith("…")
    assert len(text) < 170


def test_the_best_of_question_and_answer_is_shown(session: Session) -> None:
    fill(session, ("about tables", "tables have rows"))
    (hit,) = session.search("rows tables")
    assert hit.snippet == ("", "tables", " have ", "rows", "")


def test_no_more_turns_are_read_than_needed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [Turn("often", f"answer {n}", asked_at=float(n)) for n in range(1, 20_000)]
    oldest = Turn("once", "answer", asked_at=0.5)
    session.record.add([Thread("main", (oldest, *many))])
    read: list[int] = []
    texts = turns.texts

    def counted(database: object, ids: list[int]) -> object:
        read.extend(ids)
        return texts(database, ids)  # type: ignore[arg-type]

    monkeypatch.setattr(turns, "texts", counted)
    assert len(session.search("often")) == 50
    assert len(read) == 200
    read.clear()
    assert len(session.search("once")) == 1
    assert sorted(read) == sorted({*read})
    assert len(read) == 20_000
