"""Any sequence of asking, editing, killing, restarting agrees with a simple model."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conversation.model import Model, ModelTurn
from tests.conversation.worker import serve
from tests.forks import PROCESSES

# A process that is killed loses nothing of a file in memory, as on a disk; and it need
# not wait for the disk.
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

THREADS = st.sampled_from(["main", "main", "ideas", "side"])
CELLS = st.sampled_from([None, "c1", "c2", "c3"])
TEXTS = st.sampled_from(["Yes.", "No.", "Perhaps, if\nit rains.", "漢字"])
ENDINGS = st.sampled_from(["complete", "complete", "complete", "stopped", "failed"])


class RemoteKernel:
    """A process of its own, which can be killed."""

    def __init__(self, path: Path) -> None:
        self._pipe, other = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=serve, args=(other, str(path)))
        self._process.start()
        other.close()

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self._pipe.send((name, args, kwargs))
        return self._pipe.recv()

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def shut_down(self) -> None:
        self._pipe.close()
        self._process.join(30)
        assert self._process.exitcode == 0
        self._process.close()

    def _end(self) -> None:
        self._process.join(30)
        self._process.close()
        self._pipe.close()


class Conversation(RuleBasedStateMachine):
    """One notebook, two kernels on it, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.path = Path(self.folder.name) / "store" / "conversations.sqlite3"
        self.model = Model()
        self.kernels = [RemoteKernel(self.path)]
        self.asked = 0

    def kernel(self, second: bool = False) -> RemoteKernel:
        if second and len(self.kernels) == 1:
            self.kernels.append(RemoteKernel(self.path))
        return self.kernels[1 if second else 0]

    def question(self) -> str:
        self.asked += 1
        return f"question {self.asked}?"

    @rule(
        thread=THREADS,
        cell=CELLS,
        answer=TEXTS,
        ending=ENDINGS,
        new=st.sampled_from([False, False, False, True]),
        most=st.sampled_from([None, None, 0, 1, 2]),
        second=st.booleans(),
    )
    def ask(  # noqa: PLR0917 - hypothesis gives them by name
        self,
        thread: str,
        cell: str | None,
        answer: str,
        ending: str,
        new: bool,
        most: int | None,
        second: bool,
    ) -> None:
        old = self.model.of_cell(thread, cell)
        question = self.question()
        context = [] if new else self.model.context(thread, old, most)
        sent = self.kernel(second)(
            "ask",
            question,
            answer,
            ending,
            cell=cell,
            thread=thread,
            new=new,
            max_turns=most,
        )
        assert sent == [*context, ("user", question)]
        self.model.ask(
            thread,
            old,
            question=question,
            answer=answer,
            status=ending,
            cell=cell,
            begins=new,
        )

    @rule(thread=THREADS, cell=CELLS, answer=TEXTS)
    def ask_outside(self, thread: str, cell: str | None, answer: str) -> None:
        question = self.question()
        sent = self.kernel()(
            "ask",
            question,
            answer,
            "complete",
            cell=cell,
            thread=thread,
            history=False,
        )
        assert sent == [("user", question)]
        old = self.model.of_cell(thread, cell)
        if old is not None:
            self.model.remove(old)

    @rule(
        cell=st.sampled_from(["c1", "c2", "c3"]),
        asked=st.lists(st.tuples(TEXTS, THREADS, st.booleans()), max_size=3),
        second=st.booleans(),
    )
    def run_cell(
        self, cell: str, asked: list[tuple[str, str, bool]], second: bool
    ) -> None:
        """A cell asks as often as it likes: what it asked more before goes."""
        questions = [(self.question(), *one) for one in asked]
        sent = self.kernel(second)("run_cell", cell, questions)
        keys: dict[str, int] = {thread: 0 for _, _, thread, _ in questions}
        for (question, answer, thread, history), messages in zip(
            questions, sent, strict=True
        ):
            if not history:
                assert messages == [("user", question)]
                continue
            keys[thread] += 1
            key = cell if keys[thread] == 1 else f"{cell}#{keys[thread]}"
            old = self.model.of_cell(thread, key)
            context = self.model.context(thread, old, None)
            assert messages == [*context, ("user", question)]
            self.model.ask(
                thread,
                old,
                question=question,
                answer=answer,
                status="complete",
                cell=key,
            )
        self.model.leave(cell, keys)

    @rule(thread=THREADS, answer=TEXTS)
    def retry(self, thread: str, answer: str) -> None:
        turns = self.model.turns(thread)
        if not turns:
            said = self.kernel()("call", "retry", thread=thread)
            assert "no turn to try again" in said
            return
        old = turns[-1]
        context = [] if old.begins else self.model.context(thread, old, None)
        sent = self.kernel()("retry", answer, thread)
        assert sent == [*context, ("user", old.question)]
        self.model.ask(
            thread,
            old,
            question=old.question,
            answer=answer,
            status="complete",
            cell=old.cell,
            begins=old.begins,
        )

    @rule(thread=THREADS, number=st.integers(1, 4))
    def drop(self, thread: str, number: int) -> None:
        turns = self.model.turns(thread)
        said = self.kernel()("call", "drop", number, thread)
        if number > len(turns):
            assert isinstance(said, str)
        else:
            self.model.remove(turns[number - 1])

    @rule(thread=THREADS, everything=st.booleans())
    def reset(self, thread: str, everything: bool) -> None:
        count = self.kernel()("call", "reset", thread, everything=everything)
        assert count == self.model.reset(None if everything else thread)

    @rule(thread=THREADS, new=THREADS, at=st.sampled_from([None, 1, 2, 5]))
    def fork(self, thread: str, new: str, at: int | None) -> None:
        turns = self.model.turns(thread)
        said = self.kernel()("call", "fork", new, at=at, thread=thread)
        if self.model.turns(new) or not turns or (at or 0) > len(turns):
            assert isinstance(said, str)
        else:
            assert said == (at or len(turns))
            self.model.fork(thread, new, said)

    @rule(thread=THREADS, second=st.booleans())
    def undo(self, thread: str, second: bool) -> None:
        change = self.model.undo(thread)
        said = self.kernel(second)("call", "undo", thread)
        assert getattr(said, "kind", None) == getattr(change, "kind", None)

    @rule(thread=THREADS)
    def redo(self, thread: str) -> None:
        change = self.model.redo(thread)
        said = self.kernel()("call", "redo", thread)
        assert getattr(said, "kind", None) == getattr(change, "kind", None)

    @rule()
    def restart(self) -> None:
        self.kernels[0].shut_down()
        self.kernels[0] = RemoteKernel(self.path)

    @rule()
    def kill(self) -> None:
        self.kernels[0].kill()
        self.kernels[0] = RemoteKernel(self.path)

    @rule(thread=THREADS, cell=CELLS, answer=TEXTS)
    def kill_while_it_answers(self, thread: str, cell: str | None, answer: str) -> None:
        old = self.model.of_cell(thread, cell)
        question = self.question()
        self.kernels[0]("ask", question, answer, "incomplete", cell=cell, thread=thread)
        self.kernel().kill()
        self.kernels[0] = RemoteKernel(self.path)
        turn = self.model.ask(
            thread,
            old,
            question=question,
            answer=answer,
            status="incomplete",
            cell=cell,
        )
        self.take_what_was_saved(turn)

    def take_what_was_saved(self, turn: ModelTurn) -> None:
        """Of a turn being streamed the last second may be lost, and nothing else."""
        number = self.model.turns(turn.thread).index(turn)
        saved = self.kernel()("state")[turn.thread][number][2]
        assert saved in ("", turn.answer)
        turn.answer = saved

    @precondition(lambda self: self.asked)
    @invariant()
    def the_record_is_the_models(self) -> None:
        for kernel in self.kernels:
            assert kernel("state") == self.model.state()

    def teardown(self) -> None:
        for kernel in self.kernels:
            kernel.kill()
        self.folder.cleanup()


def test_random_sequences_agree_with_the_model() -> None:
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            stateful_step_count=15, suppress_health_check=list(HealthCheck)
        ),
    )
