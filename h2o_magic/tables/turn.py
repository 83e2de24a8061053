"""A run as a turn of the conversation: its prompt and table, counts, and some rows.

It begins and ends as an answer does, so that an open panel shows it, and undo, history
and exports have it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    Notification,
    ThreadChanged,
)
from h2o_magic.conversation.session import Session
from h2o_magic.tables.job import Job
from h2o_magic.tables.running.progress import Progress, RunState

_STATUS: dict[RunState, TurnStatus] = {
    "running": "incomplete",
    "done": "complete",
    "stopped": "stopped",
    "failed": "failed",
}


class RunTurn:
    """The turn of a run, and the run as the conversation sees it.

    `title` is how the table is called: as it was typed, if that is known.
    """

    text = reasoning = ""  # nothing of the answer is there before the end
    waited = 0.0

    def __init__(
        self, session: Session, job: Job, progress: Progress, title: str
    ) -> None:
        self.question = asked = job.asked.question
        self._session = session
        self._progress = progress
        serving = job.asked.serving
        servers = serving.members or (serving,)
        self._server = ", ".join(server.name for server in servers)
        self._record = record = session.record
        question = f"{job.template.text}\n\nFor each row of {title}."
        cell = session.cell_key(asked.thread)
        turn = Turn(
            question,
            status="incomplete",
            cell=cell,
            system=asked.system,
            model=job.asked.request.model,
            asked_at=time.time(),
            facts={"rows": {}},
        )
        session.conversation.keep_settings()
        place = record.place(asked.thread, cell, question)
        self._turn = record.begin(asked.thread, turn, place)
        session.conversation.runs.append(self)
        self._send(AnswerStarted(asked.thread, self._turn))

    @property
    def thread(self) -> str:
        """The name of its thread."""
        return self.question.thread

    @property
    def notice(self) -> str:
        """How far the run is."""
        return self._progress.line()

    def stop(self) -> None:
        """Stop the run, from any thread; the answers so far are kept."""
        if self._progress.state == "running":
            self._progress.end("stopped")

    def tell(self) -> None:
        """Show how far the run is."""
        self._send(AnswerGrew(self.thread, self._turn.id, self))

    def end(self, answer: str) -> None:
        """Keep what came of it; a run that asked nothing restores the turn before."""
        conversation = self._session.conversation
        conversation.runs.remove(self)
        progress, id_ = self._progress, self._turn.id
        facts = self._facts()
        status = _STATUS[progress.state]
        nothing = not progress.done and status != "complete"
        kept = not nothing or not self._record.withdraw(id_, if_replaced=True)
        if kept:
            self._record.update(id_, answer=answer, status=status, facts=facts)
        turn = replace(self._turn, answer=answer, status=status, facts=facts)
        self._send(AnswerEnded(self.thread, turn))
        if not kept:
            self._send(ThreadChanged(self.thread))

    def _facts(self) -> dict[str, Any]:
        progress = self._progress
        facts = Facts(
            self._turn.model,
            server=self._server,
            status=_STATUS[progress.state],
            prompt_tokens=progress.prompt_tokens,
            completion_tokens=progress.completion_tokens,
            seconds=progress.seconds,
            thread=self.thread,
            error=progress.reason if progress.state == "failed" else "",
        )
        counts = {
            name: getattr(progress, name)
            for name in ("total", "done", "known", "errors", "requests")
        }
        return {**facts.as_metadata(), "rows": counts}

    def _send(self, notification: Notification) -> None:
        self._session.conversation.notifications.send(notification)
