from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from nbconvert.filters.markdown import markdown2html_mistune as rendered

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import ThreadInfo, Turn, TurnStatus
from h2o_magic.config.units import counted, size_in_words
from h2o_magic.rendering.footer import footer
from h2o_magic.rendering.history import (
    THREAD_HEAD,
    TURN_HEAD,
    short_time,
    thread_rows,
    turn_markdown,
    turn_plain,
    turn_rows,
)
from h2o_magic.rendering.tables import shorten

NOW = datetime(2026, 3, 2, 14, 30)


def at(moment: datetime) -> float:
    return moment.timestamp()


def turn(**changes: object) -> Turn:
    made = Turn("Why?", "So.", model="llama-13b", asked_at=at(NOW), number=3)
    return replace(made, **changes)  # type: ignore[arg-type]


# Turns in a table


def test_a_turn_is_a_row_with_number_texts_model_and_hour() -> None:
    assert TURN_HEAD == ["", "question", "answer", "model", "asked", "note"]
    assert turn_rows([turn()], NOW) == [["3", "Why?", "So.", "llama-13b", "14:30", ""]]


def test_long_texts_are_cut_to_one_line() -> None:
    long = turn(question="word\n" * 50, answer="x" * 100_000, model="m" * 50)
    ((_, question, answer, model, *_),) = turn_rows([long], NOW)
    assert question == "word " * 11 + "word…"
    assert answer == "x" * 59 + "…"
    assert model == "m" * 29 + "…"


@pytest.mark.parametrize("length", [59, 60, 61, 240, 241])
def test_a_text_is_cut_only_if_it_is_too_long(length: int) -> None:
    text = "x" * length
    assert shorten(text) == (text if length <= 60 else "x" * 59 + "…")


def test_what_is_cut_off_is_told_even_if_it_follows_white_space_only() -> None:
    assert shorten(f"a{' ' * 500}b") == "a…"
    assert shorten(f"{' ' * 500}b") == "b"


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, ""),
        ({"status": "stopped"}, "stopped"),
        ({"status": "failed"}, "failed"),
        ({"status": "incomplete"}, "incomplete"),
        ({"begins": True}, "new"),
        ({"outdated": True}, "asked before an earlier answer changed"),
        (
            {"begins": True, "outdated": True, "status": "stopped"},
            "new, asked before an earlier answer changed, stopped",
        ),
    ],
)
def test_what_is_to_be_known_of_a_turn_is_noted(
    changes: dict[str, object], note: str
) -> None:
    ((*_, shown),) = turn_rows([turn(**changes)], NOW)
    assert shown == note


def test_a_turn_after_one_that_was_asked_again_is_noted() -> None:
    turns = [turn(), turn(outdated=True), turn()]
    assert [row[-1] for row in turn_rows(turns, NOW)] == [
        "",
        "asked before an earlier answer changed",
        "",
    ]


# Times


def test_a_time_of_today_is_an_hour_and_any_other_a_date() -> None:
    assert short_time(at(NOW), NOW) == "14:30"
    assert short_time(at(NOW.replace(hour=0, minute=0)), NOW) == "00:00"
    assert short_time(at(NOW - timedelta(hours=15)), NOW) == "2026-03-01"
    assert short_time(at(NOW + timedelta(days=365)), NOW) == "2027-03-02"


@pytest.mark.parametrize("seconds", [0, 0.0, 1e300, -1e300, float("inf"), float("nan")])
def test_a_time_that_is_unknown_or_none_is_left_empty(seconds: float) -> None:
    assert short_time(seconds, NOW) == ""


# Threads


def test_threads_are_rows_with_the_current_one_marked() -> None:
    infos = [
        ThreadInfo("main", 2, "", at(NOW), "What is\nSQL?"),
        ThreadInfo("my ideas", 1200, "", at(NOW - timedelta(days=1)), "x" * 100),
    ]
    assert THREAD_HEAD == ["thread", "turns", "last asked", "title"]
    assert thread_rows(infos, infos[1], NOW) == [
        ["main", "2", "14:30", "What is SQL?"],
        ["my ideas ✓", "1,200", "2026-03-01", "x" * 59 + "…"],
    ]


def test_the_current_thread_is_listed_even_without_turns() -> None:
    infos = [ThreadInfo("main", 2, "Hi", at(NOW), "Hi")]
    new = ThreadInfo("new", 0, title="New chat")
    assert thread_rows(infos, new, NOW)[1:] == [["new ✓", "0", "", "New chat"]]
    assert thread_rows([], new, NOW) == [["new ✓", "0", "", "New chat"]]


# One turn whole


def test_a_whole_turn_is_its_question_quoted_its_answer_and_its_footer() -> None:
    facts = Facts("llama-13b", "q4.gguf", completion_tokens=7).as_metadata()
    shown = turn_markdown(turn(answer="# So\n\n- it *is*", facts=facts))
    assert shown == (
        "**Turn 3** · asked 2026-03-02 14:30\n\n"
        "> Why?\n\n"
        "# So\n\n- it *is*\n\n"
        "<sub>llama-13b · 7 tokens</sub>"
    )


def test_a_whole_turn_as_plain_text_says_the_same() -> None:
    facts = Facts("llama-13b", "q4.gguf", completion_tokens=7).as_metadata()
    shown = turn_plain(turn(question="Why?\n\nTell `me`.", facts=facts, begins=True))
    assert shown == (
        "Turn 3, asked 2026-03-02 14:30, starts a new conversation\n\n"
        "> Why?\n>\n> Tell `me`.\n\n"
        "So.\n\n"
        "[llama-13b · 7 tokens]"
    )


def test_a_question_shows_as_it_was_typed() -> None:
    question = "Fix *this*:\n\n    def f(a_b):\n\treturn <b>$x$</b>\n# no heading"
    html = rendered(turn_markdown(turn(question=question)))
    quote = html[html.index("<blockquote>") : html.index("</blockquote>")]
    assert "<em>" not in quote
    assert "<h1" not in quote
    assert "<b>" not in quote
    assert quote.count("<br") == 4
    assert "&nbsp;" * 4 + "def f" in quote.replace("\xa0", "&nbsp;")
    assert "<span>$</span>x<span>$</span>" in quote


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "stopped"}, "■ stopped, the answer is incomplete"),
        ({"status": "failed"}, "■ failed, the answer is incomplete"),
        ({"status": "incomplete"}, "incomplete"),
        ({"outdated": True}, "asked before an earlier answer changed"),
        ({"begins": True}, "starts a new conversation"),
        ({"system": "Be brief."}, "system text: Be brief."),
    ],
)
def test_a_whole_turn_says_what_is_to_be_known_of_it(
    changes: dict[str, object], words: str
) -> None:
    assert words in turn_plain(turn(**changes))
    assert words.partition(":")[0] in turn_markdown(turn(**changes))


def test_a_code_fence_that_an_answer_left_open_does_not_take_its_footer() -> None:
    shown = turn_markdown(turn(answer="```python\nprint(1)", status="stopped"))
    assert "print(1)\n```\n\n<sub>" in shown


def test_a_plain_turn_cannot_steer_a_terminal() -> None:
    shown = turn_plain(turn(question="a\x1b[2Jb", answer="c\x9b2Jd\x07"))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\x07" not in shown


# The footer, from what the store keeps


def test_a_kept_turn_has_the_footer_that_its_answer_had() -> None:
    facts = Facts(
        "llama-13b",
        "q4.gguf",
        finish_reason="length",
        completion_tokens=2001,
        sent_turns=2,
        earlier_turns=9,
        unfinished_turns=3,
        cut_tokens=5,
        seconds_to_first_token=0.256,
        seconds=1.256,
    )
    kept = turn(facts=facts.as_metadata())
    assert turn_plain(kept).endswith(f"[{' · '.join(footer(facts))}]".replace("`", ""))
    assert "sent 2 of 9 turns, 3 incomplete" in turn_plain(kept)


def test_a_kept_turn_says_which_model_stood_in_for_which() -> None:
    facts = Facts("smollm2-135m", "SmolLM2 Q4_1", stands_in_for="llama-13b")
    assert turn_plain(turn(facts=facts.as_metadata())).endswith(
        "[SmolLM2-135M answered: llama-13b is not on this machine]"
    )


@pytest.mark.parametrize("server", ["https://models.example.org", "http://["])
def test_a_kept_turn_says_that_it_was_another_machines_server(server: str) -> None:
    facts = Facts("smollm2-135m", stands_in_for="llama-13b", server=server)
    shown = turn_plain(turn(facts=facts.as_metadata()))
    assert "llama-13b is not on the server" in shown


def test_a_kept_turn_of_demo_weights_says_so() -> None:
    facts = Facts("llama-13b", "built-in demo weights", demo=True)
    assert "built-in demo weights" in turn_plain(turn(facts=facts.as_metadata()))


def test_without_facts_the_footer_names_the_model_that_was_asked() -> None:
    assert turn_plain(turn()).endswith("[llama-13b]")
    assert turn_plain(turn(model="")).endswith("[unknown model]")


@pytest.mark.parametrize(
    "facts",
    [
        {"completion_tokens": "many", "seconds": [], "weights": 7, "demo": None},
        {"finish_reason": {"a": 1}, "tokens_per_second": "fast", "model": ["x"]},
        {"finish_reason": [], "tokens_per_second": 0, "completion_tokens": 3},
        {"completion_tokens": True, "seconds_to_first_token": True, "unknown": 1},
        {"completion_tokens": 1.5, "seconds": 10**400, "dropped_turns": -1},
        {"unfinished_turns": "two", "sent_turns": 1},
        {"completion_tokens": 10**400, "tokens_per_second": 10**400},
        {"seconds_to_first_token": float("nan"), "seconds": float("inf")},
    ],
)
def test_facts_that_cannot_be_are_left_out(facts: dict[str, object]) -> None:
    shown = turn_plain(turn(facts=facts))
    assert shown.partition("[")[2] in ("llama-13b]", "['x']]", "llama-13b · 3 tokens]")


@pytest.mark.parametrize("status", ["complete", "stopped", "failed", "incomplete"])
def test_an_empty_answer_is_said_to_be_empty(status: TurnStatus) -> None:
    assert "(an empty answer)" in turn_plain(turn(answer="", status=status))


# Amounts


def test_a_failed_answer_without_text_says_why_and_not_that_it_is_empty() -> None:
    failed = turn(answer="", status="failed", facts={"error": "All *slots* are busy."})
    for shown in (turn_plain(failed), turn_markdown(failed)):
        assert "slots" in shown
        assert "empty" not in shown
    assert "All \\*slots\\* are busy." in turn_markdown(failed)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 turns"), (1, "1 turn"), (2, "2 turns"), (1200, "1,200 turns")],
)
def test_one_is_counted_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "turn") == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (14_400, "14 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (999_949_999, "999.9 MB"),
        (999_999_999, "1.0 GB"),
        (7_900_000_000, "7.9 GB"),
    ],
)
def test_a_size_has_the_unit_that_suits_it(size: int, said: str) -> None:
    assert size_in_words(size) == said


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("**Bold.** Then `code`.", "Bold. Then code."),
        ("# Title\n\n## More", "Title More"),
        ("2**3 and 4**5", "2**3 and 4**5"),
        ("a * b * c", "a * b * c"),
        ("```python\nx = 1\n```", "```python x = 1 ```"),
        ("#hashtag", "#hashtag"),
    ],
)
def test_an_answer_is_listed_without_the_marks_of_its_markdown(
    answer: str, shown: str
) -> None:
    ((_, _, cell, *_),) = turn_rows([Turn("?", answer, number=1)], NOW)
    assert cell == shown
