import pytest

from h2o_magic.chat.facts import Facts
from h2o_magic.config.models import MODELS, title_of
from h2o_magic.rendering.footer import (
    answer_markdown,
    answer_plain,
    footer,
    reasoning_html,
    reasoning_markdown,
    seconds_in_words,
)

DEMO = "built-in demo weights"
LOCAL = "http://127.0.0.1:8000"


def test_a_whole_answer_is_signed_by_its_model() -> None:
    assert footer(Facts("llama-13b", "llama Q4_K_M")) == ["llama-13b"]


def test_all_facts_stand_in_order() -> None:
    facts = Facts(
        "llama-13b",
        "llama Q4_K_M",
        thread="ideas",
        dropped_turns=2,
        outdated_turns=1,
        cut_tokens=7,
        completion_tokens=2001,
        seconds_to_first_token=0.256,
        seconds=1.256,
        finish_reason="end",
    )
    assert footer(facts) == [
        "llama-13b",
        "thread ideas",
        "2 earlier turns left out to fit the context",
        "1 later turn was asked before this answer changed",
        "first 7 tokens of the question left out",
        "2,001 tokens",
        "1.3 s",
    ]


def test_the_usual_footer_is_model_tokens_and_seconds() -> None:
    facts = Facts(
        "smollm2-135m",
        "SmolLM2-135M-Instruct Q4_1",
        sent_turns=1,
        earlier_turns=1,
        completion_tokens=42,
        seconds_to_first_token=0.1,
        seconds=1.31,
    )
    assert " · ".join(footer(facts)) == "SmolLM2-135M · 42 tokens · 1.3 s"


@pytest.mark.parametrize("name", MODELS)
def test_a_known_model_is_called_by_its_title(name: str) -> None:
    assert footer(Facts(name)) == [title_of(name)]
    assert footer(Facts(MODELS[name].service_id)) == [title_of(name)]


def test_an_unknown_model_is_called_by_its_name() -> None:
    assert footer(Facts("owner/repository", "Other Q8_0")) == ["owner/repository"]


@pytest.mark.parametrize("path", ["/home/me/Own.Q4_0.gguf", "own.gguf", "C:\\A.GGUF"])
def test_a_model_that_is_asked_for_by_its_file_is_called_by_its_weights(
    path: str,
) -> None:
    assert footer(Facts(path, "Own Q4_0")) == ["Own Q4_0"]
    assert footer(Facts(path)) == [path]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.04 s"),
        (0.1, "0.1 s"),
        (1.25, "1.2 s"),
        (59.96, "60.0 s"),
        (1234.56, "1,234.6 s"),
    ],
)
def test_short_times_have_two_digits_and_long_ones_are_grouped(
    seconds: float, words: str
) -> None:
    assert seconds_in_words(seconds) == words
    assert footer(Facts("m", seconds=seconds)) == ["m", words]


def test_an_answer_without_a_known_time_names_none() -> None:
    assert footer(Facts("m", seconds=0, completion_tokens=3)) == ["m", "3 tokens"]


def test_one_is_counted_in_the_singular() -> None:
    phrases = footer(Facts("m", dropped_turns=1, completion_tokens=1))
    assert phrases == ["m", "1 earlier turn left out to fit the context", "1 token"]


def test_no_tokens_are_said_to_be_none() -> None:
    assert footer(Facts("m", completion_tokens=0)) == ["m", "0 tokens"]


def test_a_stopped_answer_says_first_that_it_is_not_whole() -> None:
    facts = Facts("m", status="stopped", finish_reason="stopped")
    assert footer(facts)[0] == "■ stopped, the answer is incomplete"


def test_a_failed_answer_says_first_that_it_is_not_whole() -> None:
    # Why is said by the error.
    facts = Facts("m", status="failed")
    assert footer(facts)[0] == "■ failed, the answer is incomplete"


@pytest.mark.parametrize(
    ("tokens", "place"),
    [
        (1024, "after 1,024 tokens"),
        (1, "after 1 token"),
        (0, "at the token limit"),
        (None, "at the token limit"),
    ],
)
def test_an_answer_that_was_cut_off_says_first_where_and_how_to_go_on(
    tokens: int | None, place: str
) -> None:
    facts = Facts("m", finish_reason="length", completion_tokens=tokens)
    assert footer(facts)[0] == f"■ cut off {place}: `%h2o ask Go on.` continues it"


@pytest.mark.parametrize("reason", ["end", "stop_text"])
def test_another_end_of_a_whole_answer_is_not_worth_words(reason: str) -> None:
    facts = Facts("m", finish_reason=reason)  # type: ignore[arg-type]
    assert footer(facts) == ["m"]


def test_an_end_for_a_reason_that_is_not_known_is_told() -> None:
    facts = Facts("m", finish_reason="unknown")
    assert footer(facts) == ["the server did not say why the answer ended", "m"]


@pytest.mark.parametrize("weights", [DEMO, ""])
@pytest.mark.parametrize("model", [*MODELS, "my-model"])
def test_the_first_answer_of_demo_weights_says_what_they_are_and_how_to_get_real_ones(
    model: str, weights: str
) -> None:
    assert footer(Facts(model, weights, demo=True, completion_tokens=3)) == [
        f"{title_of(model)}, built-in demo weights",
        "`%h2o pull smollm2-135m` downloads a real model",
        "3 tokens",
    ]


def test_later_answers_of_demo_weights_are_only_marked() -> None:
    facts = Facts("llama-13b", DEMO, demo=True, demo_told=True, completion_tokens=3)
    assert footer(facts) == ["llama-13b (demo)", "3 tokens"]


def test_what_an_earlier_answer_said_of_demo_weights_says_nothing_of_a_real_model() -> (
    None
):
    assert footer(Facts("llama-13b", "llama Q4_0", demo_told=True)) == ["llama-13b"]


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("", "this machine"),
        (LOCAL, "this machine"),
        ("http://localhost:1", "this machine"),
        ("http://[::1]:8000", "this machine"),
        ("https://models.example.org", "the server"),
        ("http://127.0.0.1.example.org", "the server"),
    ],
)
def test_a_model_that_stands_in_says_for_which_and_where_that_is_not(
    server: str, place: str
) -> None:
    facts = Facts(
        "smollm2-135m",
        "SmolLM2-135M-Instruct Q4_1",
        stands_in_for="llama-13b",
        server=server,
        seconds=1.3,
    )
    assert footer(facts) == [
        f"SmolLM2-135M answered: llama-13b is not on {place}",
        "1.3 s",
    ]


# The whole answer


def test_the_footer_stands_in_small_type_under_the_answer() -> None:
    assert answer_markdown("Hello.\n\n", Facts("m", completion_tokens=2)) == (
        "Hello.\n\n<sub>m · 2 tokens</sub>"
    )


def test_the_plain_footer_stands_in_brackets_without_backticks() -> None:
    facts = Facts("llama-13b", DEMO, demo=True)
    assert answer_plain("Use `ls`.\n", facts) == (
        "Use `ls`.\n\n[llama-13b, built-in demo weights · %h2o pull smollm2-135m "
        "downloads a real model]"
    )


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_an_empty_answer_is_said_to_be_empty(text: str) -> None:
    assert answer_markdown(text, Facts("m")) == "*(an empty answer)*\n\n<sub>m</sub>"
    assert answer_plain(text, Facts("m")) == "(an empty answer)\n\n[m]"


def test_the_footer_is_outside_code_that_the_answer_left_open() -> None:
    facts = Facts("m", status="stopped")
    assert answer_markdown("So:\n\n```python\nx = 1", facts) == (
        "So:\n\n```python\nx = 1\n```\n\n"
        "<sub>■ stopped, the answer is incomplete · m</sub>"
    )


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```",
        "~~~\n```\n~~~",
        "- ```sh\n  ls\n  ```",
        "1. ```sh\n   ls\n   ```\n2. done",
    ],
)
def test_an_answer_with_closed_code_is_left_as_it_is(text: str) -> None:
    assert answer_markdown(text, Facts("m")) == f"{text}\n\n<sub>m</sub>"


def test_the_footer_is_outside_code_that_shows_a_fence() -> None:
    text = "```md\n1. Do\n\n    ```sh\n    ls\n    ```\n"
    assert answer_markdown(text, Facts("m")) == f"{text}```\n\n<sub>m</sub>"


def test_the_footer_says_that_the_questions_beginning_was_left_out() -> None:
    facts = Facts("m", cut_tokens=7)
    assert "first 7 tokens of the question left out" in footer(facts)


@pytest.mark.parametrize(
    ("sent", "earlier", "phrase"),
    [
        (12, 40, "sent 12 of 40 turns"),
        (0, 1, "sent 0 of 1 turn"),
        (1, 1200, "sent 1 of 1,200 turns"),
    ],
)
def test_a_context_that_is_not_whole_says_how_much_was_sent(
    sent: int, earlier: int, phrase: str
) -> None:
    # What the server dropped is in the count already.
    facts = Facts("m", sent_turns=sent, earlier_turns=earlier, dropped_turns=1)
    assert footer(facts) == ["m", phrase]


def test_turns_that_are_not_whole_are_not_taken_for_a_lack_of_room() -> None:
    facts = Facts("m", sent_turns=1, earlier_turns=5, unfinished_turns=4)
    assert footer(facts) == ["m", "sent 1 of 5 turns, 4 incomplete"]


@pytest.mark.parametrize("count", [0, 7])
def test_a_whole_context_goes_without_saying(count: int) -> None:
    assert footer(Facts("m", sent_turns=count, earlier_turns=count)) == ["m"]


def test_a_thread_is_named_unless_it_is_the_first() -> None:
    assert footer(Facts("m", thread="ideas")) == ["m", "thread ideas"]
    assert footer(Facts("m", thread="main")) == ["m"]


def test_a_question_outside_the_conversation_says_so() -> None:
    assert footer(Facts("m", history=False)) == ["m", "outside the conversation"]


def test_turns_asked_before_the_answer_changed_are_counted() -> None:
    assert footer(Facts("m", outdated_turns=1)) == [
        "m",
        "1 later turn was asked before this answer changed",
    ]
    assert footer(Facts("m", outdated_turns=2)) == [
        "m",
        "2 later turns were asked before this answer changed",
    ]


def test_an_answer_whose_end_is_missing_says_so_first() -> None:
    assert footer(Facts("m", status="incomplete"))[0] == (
        "■ incomplete, the end is missing"
    )


# What a model writes


def test_markdown_is_sanitized_and_plain_text_kept_as_it_is() -> None:
    text = "<img src=x onerror=f()>"
    assert answer_markdown(text, Facts("m")).startswith("&lt;img")
    assert answer_plain(text, Facts("m")).startswith(text)


def test_a_model_name_can_load_nothing() -> None:
    facts = Facts("![m](https://x.org)", status="failed")
    assert "![" not in answer_markdown("Hel", facts)


def test_reasoning_is_folded_above_the_answer() -> None:
    shown = answer_markdown("So.", Facts("m"), reasoning="1. *a*\n\n```py\nx")
    assert shown == (
        "<details><summary>Reasoning</summary>\n\n"
        "1. *a*\n\n```py\nx\n```\n\n</details>\n\n"
        "So.\n\n<sub>m</sub>"
    )


def test_reasoning_is_quoted_or_hidden_where_that_is_wanted() -> None:
    assert reasoning_markdown("a\n\n    b", "show") == (
        "> **Reasoning**\n>\n> a\n>\n>     b"
    )
    assert reasoning_markdown("a", "hide") == ""


@pytest.mark.parametrize("mode", ["collapse", "show", "hide"])
def test_no_reasoning_takes_no_place(mode: str) -> None:
    assert reasoning_markdown(" \n", mode) == ""


@pytest.mark.parametrize("mode", ["collapse", "show"])
def test_reasoning_is_sanitized_and_stays_in_its_place(mode: str) -> None:
    shown = reasoning_markdown("</details><img src=x>\n\n> ```\n> </details>", mode)
    assert shown.count("</details>") - shown.count("> </details>") == (
        mode == "collapse"
    )
    assert "<img" not in shown


def test_reasoning_stands_behind_a_plain_answer_where_it_is_to_be_shown() -> None:
    def shown(mode: str) -> str:
        return answer_plain(
            "So.", Facts("m"), reasoning="a\n\nb\n", reasoning_mode=mode
        )

    assert shown("show") == "So.\n\n> Reasoning:\n> a\n>\n> b\n\n[m]"
    assert shown("collapse") == shown("hide") == "So.\n\n[m]"


def test_reasoning_as_html_is_text_only() -> None:
    folded = reasoning_html("<b>a</b>", "collapse")
    assert folded.startswith("<details><summary>")
    assert "&lt;b&gt;a&lt;/b&gt;</pre>" in folded
    assert reasoning_html("a", "show").startswith("<details open>")
    assert reasoning_html("a", "hide") == reasoning_html(" ", "show") == ""
