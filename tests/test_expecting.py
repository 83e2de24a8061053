from pathlib import PurePath

import pytest

from h2o_magic.errors import ConfigurationError, expect


@pytest.mark.parametrize(
    ("value", "kind"), [(3, int), ("a", str), (PurePath("a"), str | PurePath)]
)
def test_what_is_expected_passes(value: object, kind: type) -> None:
    expect("a thing", value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (1.5, int, "expected a thing (int), got float"),
        (True, int, "expected a thing (int), got bool"),
        (None, str, "expected a thing (str), got NoneType"),
        (3, str | PurePath, "expected a thing (str | pathlib.PurePath), got int"),
    ],
)
def test_what_is_not_is_refused_in_one_line(
    value: object, kind: type, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expect("a thing", value, kind)
    assert str(caught.value).replace("._local", "") == said


def test_nothing_passes_where_it_may() -> None:
    expect("a thing", None, int, optional=True)
