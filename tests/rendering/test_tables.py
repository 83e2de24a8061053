from h2o_magic.rendering.tables import Verbatim, as_markdown, as_text


def test_a_table_in_markdown_has_a_head_a_rule_and_rows() -> None:
    assert as_markdown(["model", "size"], [["llama-13b", "7.9 GB"], ["x", ""]]) == (
        "| model | size |\n| --- | --- |\n| llama-13b | 7.9 GB |\n| x |  |"
    )


def test_a_pipe_in_a_cell_does_not_end_it() -> None:
    assert as_markdown(["a|b"], [["c\\|d"]]) == "| a\\|b |\n| --- |\n| c\\\\\\|d |"


def test_a_line_end_in_a_cell_does_not_end_its_row() -> None:
    assert as_markdown(["a"], [["one\ntwo"]]).splitlines()[2:] == ["| one two |"]


def test_the_columns_of_the_text_form_stand_under_each_other() -> None:
    assert as_text(["model", "size"], [["llama-13b", "7.9 GB"], ["x", "1 MB"]]) == (
        "model      size\nllama-13b  7.9 GB\nx          1 MB"
    )


def test_the_text_form_has_no_backticks_and_no_blanks_at_line_ends() -> None:
    assert as_text(["a", "b"], [["`long cell`", ""], ["c", "`d`"]]) == (
        "a          b\nlong cell\nc          d"
    )


def test_a_table_without_rows_is_its_head() -> None:
    assert as_markdown(["a", "b"], []) == "| a | b |\n| --- | --- |"
    assert as_text(["a", "b"], []) == "a  b"


def test_the_callers_rows_are_not_changed() -> None:
    head, rows = ["`a`"], [["b|c"]]
    as_markdown(head, rows)
    as_text(head, rows)
    assert (head, rows) == (["`a`"], [["b|c"]])


def test_foreign_text_shows_its_backticks_in_the_text_form() -> None:
    assert as_text(["a", "b"], [[Verbatim("`x`"), "`y`"]]) == "a    b\n`x`  y"


def test_a_long_cell_with_nothing_after_it_does_not_push_a_column_away() -> None:
    long = "x" * 200
    rows = [["kept in", Verbatim(long), ""], ["model", "llama-13b", "default"]]
    assert as_text(["", "value", "from"], rows).splitlines() == [
        "         value      from",
        f"kept in  {long}",
        "model    llama-13b  default",
    ]


def test_columns_of_wide_and_combining_characters_stand_under_each_other() -> None:
    rows = [["日本", "x"], ["cafe\u0301", "y"], ["abcd", "z"]]
    assert as_text(["a", "b"], rows).splitlines()[1:] == [
        "日本  x",
        "cafe\u0301  y",
        "abcd  z",
    ]


def test_no_cell_can_steer_a_terminal_or_turn_its_line_around() -> None:
    text = as_text(["a"], [[Verbatim("\x1b[2Jhi\x07 \u202eback\u2066 \x9b1m")]])
    assert text == "a\n[2Jhi back 1m"
