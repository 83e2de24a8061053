"""The settings' controls, changed by a page and by others at once."""

from __future__ import annotations

import threading

import pytest

from h2o_magic.chat_panel.controls import Controls
from h2o_magic.notebook import NotebookSession
from h2o_magic.settings import Settings


@pytest.mark.usefixtures("home")
def test_what_a_page_chooses_is_not_taken_back_by_an_older_value_shown_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = NotebookSession(settings=Settings())
    controls = Controls(session, lambda _: ())
    controls.show(True)
    choice = controls._presets._choice
    choice.value = "precise"
    read, chosen = threading.Event(), threading.Event()
    preset = NotebookSession.preset.fget

    def look(of: NotebookSession) -> str:
        found = str(preset(of))
        if threading.current_thread() is showing:
            read.set()
            chosen.wait(0.5)  # in vain: who chooses waits for what is shown
        return found

    monkeypatch.setattr(NotebookSession, "preset", property(look))
    showing = threading.Thread(target=controls.refresh, args=("temperature",))
    showing.start()
    assert read.wait(60)
    choice.value = "creative"
    chosen.set()
    showing.join(60)
    assert (choice.value, session.preset) == ("creative", "creative")
    session.close()
