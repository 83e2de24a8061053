import threading

from h2o_magic.conversation.autosave import Autosave
from tests.server.client import until


def test_a_change_is_saved_though_no_other_follows() -> None:
    saved = threading.Event()
    autosave = Autosave(saved.set, every=0.01)
    autosave.touch()
    assert saved.wait(30)
    autosave.close()


def test_many_changes_are_saved_together() -> None:
    changes: list[int] = []
    saves: list[int] = []
    whole = threading.Event()

    def save() -> None:
        saves.append(len(changes))
        if len(changes) == 1000:
            whole.set()

    autosave = Autosave(save, every=0.2)
    for number in range(1000):
        changes.append(number)
        autosave.touch()
    assert whole.wait(30)
    autosave.close()
    assert len(saves) < 100


def test_a_change_during_a_save_is_saved_by_another() -> None:
    begun, go_on, again = threading.Event(), threading.Event(), threading.Event()

    def save() -> None:
        if begun.is_set():
            again.set()
        begun.set()
        go_on.wait(30)

    autosave = Autosave(save, every=0.01)
    autosave.touch()
    assert begun.wait(30)
    autosave.touch()
    go_on.set()
    assert again.wait(30)
    autosave.close()


def test_after_it_is_closed_nothing_is_saved() -> None:
    saves: list[int] = []
    autosave = Autosave(lambda: saves.append(1), every=30)
    autosave.touch()
    timer = autosave._timer
    assert timer is not None
    autosave.close()
    autosave.touch()
    assert autosave._timer is timer
    timer.join(20)  # it would fire after 30 seconds
    assert not timer.is_alive()
    assert saves == []


def test_closing_waits_for_a_save_under_way() -> None:
    begun, go_on = threading.Event(), threading.Event()
    steps: list[str] = []

    def save() -> None:
        begun.set()
        go_on.wait(30)
        steps.append("saved")

    autosave = Autosave(save, every=0.01)
    autosave.touch()
    assert begun.wait(30)

    def close() -> None:
        autosave.close()
        steps.append("closed")

    closing = threading.Thread(target=close)
    closing.start()
    until(lambda: autosave._closed)
    assert steps == []
    go_on.set()
    closing.join(30)
    assert steps == ["saved", "closed"]
