import dataclasses
import inspect
from typing import get_args

import pytest

from h2o_magic.chat import events
from h2o_magic.chat.events import Event, Finished, TextDelta

CLASSES = get_args(Event)


def test_every_event_class_is_in_the_union() -> None:
    defined = {
        cls
        for _, cls in inspect.getmembers(events, inspect.isclass)
        if cls.__module__ == events.__name__
    }
    assert set(CLASSES) == defined


@pytest.mark.parametrize("cls", CLASSES)
def test_no_event_can_be_changed(cls: type) -> None:
    event = object.__new__(cls)
    field = dataclasses.fields(cls)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, field, "changed")


def test_events_of_different_classes_are_never_equal() -> None:
    assert TextDelta("a") == TextDelta("a")
    assert TextDelta("a") != Finished("a")
