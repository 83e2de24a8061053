import pytest

from h2o_magic.chat.continuation import Continued, continuing


@pytest.mark.parametrize(
    ("text", "more", "whole"),
    [
        ("", "All.", "All."),
        ("One", "", "One"),
        ("and the", "next word", "and the next word"),
        ("and the ", "next", "and the next"),
        ("Cut he", "re, and done.", "Cut he re, and done."),
        ("Here it is cut he", "re", "Here it is cut he re"),
        ("See here. Cut he", "re, and done.", "See here. Cut here, and done."),
        ("Cut he", " re, and done.", "Cut he re, and done."),
        ("Cut here", "And done.", "Cut here And done."),
        ("It is small, but it", "is quick", "It is small, but it is quick"),
        ("A tokenizer, or toke", "nizer", "A tokenizer, or tokenizer"),
        ("In 20", "24 it", "In 2024 it"),
        ("Chapter", "3 says", "Chapter 3 says"),
        ("a_", "b", "a_b"),
        ("An end.", " Next.", "An end. Next."),
        ("f(x", ", y)", "f(x, y)"),
        ("```python\nx = 1\n", "```python\ny = 2\n```", "```python\nx = 1\ny = 2\n```"),
        ("```python\nx = 1", "```py\ny", "```python\nx = 1\ny"),
        ("```python\nx = ", "1\n```", "```python\nx = 1\n```"),
        ("```\na\n```\nSo", "```\nb\n```", "```\na\n```\nSo```\nb\n```"),
    ],
)
def test_a_continuation_reads_as_if_written_at_once(
    text: str, more: str, whole: str
) -> None:
    assert Continued(text).with_more(more) == whole


def test_what_is_sent_ends_with_the_answer_and_a_request() -> None:
    assert continuing("") == ()
    assert [m.role for m in continuing("One")] == ["assistant", "user"]
