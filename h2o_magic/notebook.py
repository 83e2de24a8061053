"""The notebook's session: its conversation, and asking on it.

What magic, panel and Python code share. It knows no notebook: it takes a question with
the key of the cell that asks, and keeps the turn however the answer ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, cast

from h2o_magic import model_choice
from h2o_magic.aliases import Aliases
from h2o_magic.asking import Answer, Question
from h2o_magic.backends import Backend, ModelInfo
from h2o_magic.connecting import Connected, connected
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    MessagesError,
    TimedOutError,
)
from h2o_magic.exchange import Exchange
from h2o_magic.expecting import expect
from h2o_magic.keys import key_source
from h2o_magic.known_servers import KnownServer, same_server
from h2o_magic.model_lists import Listed
from h2o_magic.parameters import PARAMETERS, resolve
from h2o_magic.preview import Preview, preview
from h2o_magic.record import Record
from h2o_magic.servers import Servers
from h2o_magic.setting_table import LOCAL, SETTINGS
from h2o_magic.settings import Settings, find_setting
from h2o_magic.turns import Change, Thread, ThreadInfo, Turn, TurnStatus

if TYPE_CHECKING:
    from h2o_magic.fetching import FetchEvent

__all__ = ["KEPT", "RUNNING", "Answer", "NotebookSession"]


class _Running:
    """Stands for the key of the cell that runs."""

    def __repr__(self) -> str:
        return "RUNNING"


#: The default of `cell`: the cell that runs.
RUNNING = _Running()

#: Where a setting comes from that is kept with the notebook.
KEPT = "this notebook"
#: Where the server comes from that the session has connected to.
_CONNECT = "connect"


class NotebookSession:
    """One notebook's conversation with the models of a server.

    Everything that the magics do is a method here. ``h2o_magic.session()`` returns the
    session of the running notebook.

    Attributes
    ----------
    settings : Settings
        The settings in force.
    servers : Servers
        The servers that are known, and looked for.
    aliases : Aliases
        The user's names for models.

    Parameters
    ----------
    backend
        The server that answers, until the setting ``server`` is changed; None for the
        one that the setting names.
    record
        Where the turns are kept; None keeps them in memory.
    settings
        The settings in force; None for the defaults.
    servers
        The servers that can be connected to; None for none but by their addresses.
    aliases
        The user's names for models; None for none.
    connect
        Makes a backend of the setting ``server``; None for what `servers` knows.
    cells
        Returns the key of the running cell's next turn in a thread, or None without
        one; it is told False for a question outside the conversation.
    coming_cells
        Returns the same for a question that is not asked yet, and counts nothing.

    Examples
    --------
    >>> import h2o_magic
    >>> session = h2o_magic.session()
    >>> session.ask("How do I reset?", temperature=0.2).read()  # doctest: +SKIP
    'Run `%h2o reset`.'
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        record: Record | None = None,
        settings: Settings | None = None,
        servers: Servers | None = None,
        aliases: Aliases | None = None,
        connect: Callable[[str], Backend] | None = None,
        cells: Callable[[str, bool], str | None] = lambda *_: None,
        coming_cells: Callable[[str, bool], str | None] = lambda *_: None,
    ) -> None:
        self._cells = cells
        self._coming_cells = coming_cells
        self.settings = Settings() if settings is None else settings
        self.servers = Servers() if servers is None else servers
        self.aliases = Aliases() if aliases is None else aliases
        connect = self.servers.backend if connect is None else connect
        self._exchange = Exchange(
            Record(None, "") if record is None else record,
            lambda: connect(str(self.settings["server"])),
            self._model_at_hand,
            backend,
        )
        self._settled = backend is not None
        self._go_to_kept_thread()
        self.settings.watch(self._on_setting)

    @property
    def backend(self) -> Backend:
        """The server that answers. Another may take its place; the turns stay."""
        return self._exchange.backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._exchange.backend = backend

    @property
    def record(self) -> Record:
        """Where the turns are kept."""
        return self._exchange.record

    @record.setter
    def record(self, record: Record) -> None:
        self._exchange.record.close()
        self._exchange.record = record
        self._exchange.forget()
        self._go_to_kept_thread()

    @property
    def thread(self) -> str:
        """The name of the thread that is asked where no other is named."""
        return str(self.settings["thread"])

    @thread.setter
    def thread(self, name: str) -> None:
        self.settings.set("thread", name, KEPT)

    def configure(self, **settings: object) -> None:
        """Change settings, by the names that ``%config H2OMagics`` lists.

        Raises
        ------
        ConfigurationError
            If a name is unknown or a value is refused; then none is changed.
        """
        for name, value in settings.items():
            find_setting(name).check(value)
        for name, value in settings.items():
            self.settings.set(name, value, "Python")

    # Asking

    def ask(
        self,
        question: str,
        *,
        cell: str | _Running | None = RUNNING,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        **options: object,
    ) -> Answer:
        """Ask `question` after the turns before it, and return the coming answer.

        Nothing is sent before the answer is iterated, or read.

        Parameters
        ----------
        question
            The user's text; white space around it does not count.
        cell
            Key of the asking cell; by default that of the cell that runs, None for no
            cell. Asking again under the same key replaces its turn.
        history
            False asks outside the conversation: nothing of it is sent, and the turn is
            not kept. A turn of a `cell` that is given is taken out.
        new
            True begins a new conversation with this question.
        schema
            What the answer is to fit: a JSON schema, a pydantic model, a dataclass.
        **options
            Settings for this question only: ``model``, ``system``, ``thread``,
            ``max_turns``, ``temperature``, ... None leaves a parameter to the server.

        Raises
        ------
        ConfigurationError
            If an option is unknown or refused.
        MessagesError
            If the question is empty.
        """
        return Answer(
            self._exchange,
            self._question(
                question,
                options,
                cell=cell,
                history=history,
                begins=new,
                schema=_as_schema(schema),
            ),
        )

    def preview(
        self,
        question: str,
        *,
        cell: str | _Running | None = RUNNING,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        **options: object,
    ) -> Preview:
        """Return what :meth:`ask` would send; nothing is sent for an answer.

        The server may be asked to count the tokens. The parameters are those of
        :meth:`ask`.

        Raises
        ------
        ConfigurationError, MessagesError
            As :meth:`ask` does.
        """
        asked = self._question(
            question,
            options,
            cell=cell,
            cells=self._coming_cells,
            history=history,
            begins=new,
            schema=_as_schema(schema),
        )
        return preview(self._exchange.prepare(asked))

    def retry(self, *, thread: str | None = None, **options: object) -> Answer:
        """Ask a thread's last question again, in the place of its turn.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        **options
            Settings that are to differ from those it was asked under.

        Raises
        ------
        ConfigurationError
            If the thread has no turn, or an option is unknown or refused.
        """
        name = self._name(thread)
        turns = self.record.turns(name, last=1)
        if not turns:
            raise ConfigurationError(
                f"thread {name} has no turn to try again: ask something first"
            )
        (turn,) = turns
        question = self._question(
            turn.question,
            {**_asked_under(turn), **options, "thread": name},
            cell=turn.cell,
            replaces=turn.id,
            begins=turn.begins,
            again=frozenset(_asked_under(turn)) - frozenset(options),
        )
        return Answer(self._exchange, question)

    # The conversation

    def turns(
        self, thread: str | None = None, *, last: int | None = None
    ) -> tuple[Turn, ...]:
        """Return the turns of a thread in order, or only its `last` ones.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        last
            How many at most, counted from the end; None for all.
        """
        expect("how many turns", last, int, optional=True)
        return self.record.turns(self._name(thread), last=last)

    def counts(self, thread: str | None = None) -> Mapping[TurnStatus, int]:
        """Return how many turns a thread has, by how their answers ended."""
        return self.record.counts(self._name(thread))

    def turn(self, number: int, thread: str | None = None) -> Turn:
        """Return one turn by its number, which begins at 1.

        Raises
        ------
        ConfigurationError
            If the thread has no such turn.
        """
        expect("a turn's number", number, int)
        return self.record.turn(self._name(thread), number)

    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads that have turns, in the order in which they began."""
        return self.record.threads()

    def fork(
        self,
        new: str,
        *,
        at: int | None = None,
        thread: str | None = None,
        overwrite: bool = False,
    ) -> int:
        """Copy a thread's turns, as far as number `at`, into a new thread.

        Parameters
        ----------
        new
            Name of a thread without turns.
        at
            Number of the last turn to copy; None for all.
        thread
            Name of the thread to copy from; None for the current one.
        overwrite
            True takes out the turns that `new` has.

        Returns
        -------
        int
            How many turns were copied.

        Raises
        ------
        ConfigurationError
            If `new` is taken or no name, or there is nothing to copy.
        """
        expect("a turn's number", at, int, optional=True)
        name = self._name(new)
        count = self.record.fork(self._name(thread), name, at, overwrite=overwrite)
        self._exchange.forget([name])
        return count

    def reset(
        self,
        thread: str | None = None,
        *,
        everything: bool = False,
        erase: bool = False,
    ) -> int:
        """Forget a thread's turns, and return how many it had.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        everything
            True forgets all threads of the notebook.
        erase
            True also erases them from the disk, so that :meth:`undo` cannot bring them
            back.
        """
        name = self._name(thread)
        count = self.record.reset(None if everything else name, erase=erase)
        self._exchange.forget(None if everything else [name])
        return count

    def drop(self, number: int, thread: str | None = None) -> Turn:
        """Take one turn out of a thread, and return it.

        Raises
        ------
        ConfigurationError
            If the thread has no such turn.
        """
        expect("a turn's number", number, int)
        return self.record.drop(self._name(thread), number)

    def undo(self, thread: str | None = None) -> Change | None:
        """Take the last change to a thread back, and say what it was.

        A question asked, or asked again, a reset, a drop, a fork, an import. None if
        there is nothing to take back.
        """
        return self.record.undo(self._name(thread))

    def redo(self, thread: str | None = None) -> Change | None:
        """Make the change again that was taken back last; None if there is none."""
        return self.record.redo(self._name(thread))

    # To and from files

    def export_text(
        self, suffix: str, *, thread: str | None = None, everything: bool = False
    ) -> str:
        """Return a thread as the text of a file.

        Parameters
        ----------
        suffix
            ``.md``, ``.json``, ``.jsonl`` or ``.ipynb``.
        thread
            Name of the thread; None for the current one.
        everything
            True for all threads of the notebook.

        Raises
        ------
        ConfigurationError
            If there is no such format, or no turn.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        return transfer.as_text(suffix, self._threads(thread, everything))

    def export(
        self,
        path: str | Path,
        *,
        thread: str | None = None,
        everything: bool = False,
        overwrite: bool = False,
    ) -> int:
        """Write a thread to a file, and return how many turns were written.

        Parameters
        ----------
        path
            The file; its suffix says the format.
        thread, everything
            As for :meth:`export_text`.
        overwrite
            True replaces a file that is there.

        Raises
        ------
        ConfigurationError
            If there is no such format, no turn, or the file cannot be written.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        expect("a file's path", path, str | PurePath)
        threads = self._threads(thread, everything)
        return transfer.write(path, threads, overwrite=overwrite)

    def import_file(
        self, path: str | Path, *, thread: str | None = None
    ) -> tuple[Thread, ...]:
        """Read conversations from a file into threads of their own.

        Parameters
        ----------
        path
            A file that :meth:`export` wrote as ``.json``, ``.jsonl`` or ``.ipynb``, or
            another of these kinds: OpenAI messages, or a notebook with ``%%h2o`` cells.
        thread
            Name of a thread without turns that takes the file's only conversation;
            None keeps the file's names, with a number behind those that are taken.

        Returns
        -------
        tuple of Thread
            The threads as they are now named.

        Raises
        ------
        ConfigurationError
            If the file cannot be read or is none of these. Then nothing is changed.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        expect("a file's path", path, str | PurePath)
        name = None if thread is None else self._name(thread)
        taken = {info.name for info in self.threads()}
        threads = transfer.named(transfer.read(path), taken, name)
        self.record.add(threads)
        return threads

    # The server

    def connect(
        self,
        server: str,
        *,
        name: str = "",
        dialect: str = "",
        key_env: str = "",
        key_ring: str = "",
        key_prompt: bool = False,
    ) -> Connected:
        """Go to a server, and keep it under a name.

        If that fails, the session stays where it is.

        Parameters
        ----------
        server
            An address, the name of a known server, or ``local``.
        name
            What to call it; empty for its name, or one after its address.
        dialect
            ``gpt-gm``, ``chat-ui``, ``openai``, or ``auto`` to find it out anew; empty
            for what is known, or else finding it out.
        key_env, key_ring, key_prompt
            Where its key is: a variable of the environment, a service in the system's
            keyring, or with the user, who is asked for it. None of them for what is
            known of the server, or no key.

        Raises
        ------
        ConfigurationError
            If an argument is refused, or the key is missing.
        BackendError
            If the server does not answer, or refuses the key.
        """
        expect("a server", server, str)
        key = key_source(key_env=key_env, key_ring=key_ring, key_prompt=key_prompt)
        if server in ("", LOCAL):
            if name or key or dialect:
                raise ConfigurationError(
                    "the local server has its name, its dialect and its key: give none"
                )
            self.settings.set("server", "", _CONNECT)
            return connected(None, str(self.settings["model"]), "")
        reached = self.servers.reach(server, name=name, dialect=dialect, key=key)
        self._exchange.disconnect()
        where = reached.server.name or reached.server.url
        self.settings.set("server", where, _CONNECT)
        self.backend = reached.backend
        models = reached.models or ()
        model_choice.settle(self.settings, models, where)
        self._settled = True
        model = self._model()
        return connected(reached, model, model_choice.lacking(model, models))

    def forget_server(self, name: str) -> KnownServer:
        """Forget a known server, by name or address, and return what was known of it.

        A session that is on it goes to the local one.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        gone = self.servers.forget(name)
        current = str(self.settings["server"])
        if current == gone.name or same_server(current, gone.url):
            self.settings.set("server", "", _CONNECT)
        return gone

    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If the server does not answer.
        """
        models = self.backend.models()
        self.servers.lists.keep(self._address(), models)
        return models

    def listed_models(self) -> Listed:
        """Return what the server offers, or offered when it answered last.

        Raises
        ------
        BackendError
            If the server does not answer, and never has.
        """
        try:
            return Listed(tuple(self.models()))
        except (ConnectionFailedError, TimedOutError) as error:
            last = self.servers.lists.find(self._address())
            if last is None:
                raise
            return replace(last, problem=str(error))

    def pull(
        self, model: str, tell: Callable[[FetchEvent], None] = lambda _: None
    ) -> Path:
        """Download a model's weights from the Hugging Face hub, and return their path.

        The next answer of the model comes from them. What an interrupted download left
        is used by the next.

        Parameters
        ----------
        model
            A known model's name, ``owner/repository`` or ``owner/repository:file``.
        tell
            Told how it goes: events of `h2o_magic.fetching`.

        Raises
        ------
        ConfigurationError
            If there is no such model, or it does not fit on this machine.
        ConnectionFailedError
            If the hub cannot be reached or refuses.
        """
        from h2o_magic.server.pull import pull  # noqa: PLC0415

        expect("a model's name", model, str)
        return pull(_whole_path(model), tell).path

    def remove_weights(self, model: str) -> int:
        """Remove a model's downloaded weights, and return how many bytes were freed.

        A local server that holds them lets go of them first.

        Raises
        ------
        ConfigurationError
            If nothing of it is in the hub's cache, or it is answering right now.
        """
        from h2o_magic import embedded  # noqa: PLC0415
        from h2o_magic.server.removal import remove  # noqa: PLC0415

        expect("a model's name", model, str)
        return remove(_whole_path(model), embedded.unload)

    def close(self) -> None:
        """Give back what backend and record hold. The conversation stays."""
        self._exchange.disconnect()
        self.record.close()

    def _question(
        self,
        text: str,
        options: Mapping[str, object],
        *,
        cell: str | _Running | None,
        cells: Callable[[str, bool], str | None] | None = None,
        history: bool = True,
        begins: bool = False,
        replaces: int = 0,
        again: frozenset[str] = frozenset(),
        schema: Mapping[str, Any] | None = None,
    ) -> Question:
        """Check a question. `again` names options that are those of an earlier one."""
        expect("a question", text, str)
        if not text.strip():
            raise MessagesError("expected a question, got an empty one: write one")
        if begins and not history:
            raise ConfigurationError(
                "expected `new` or `history=False`, got both: a question outside the "
                "conversation cannot begin one"
            )
        settings = self.settings.merged(options)
        parameters = resolve({name: settings[name] for name in PARAMETERS})
        if isinstance(cell, _Running):
            cell = (cells or self._cells)(str(settings["thread"]), history)
        expect("the key of a cell", cell, str, optional=True)
        settings["model"] = self._model(str(settings["model"]))
        return Question(
            text=text.strip(),
            schema=schema,
            cell=cell,
            replaces=replaces,
            history=history,
            begins=begins,
            parameters=parameters,
            chosen=self._chosen(settings, options.keys() - again),
            model_chosen="model" in options or model_choice.is_chosen(self.settings),
            **{name: cast(Any, settings[name]) for name in _OF_A_QUESTION},
        )

    def _model(self, name: str | None = None) -> str:
        """Return the model that a name stands for; None for the current one's."""
        current = str(self.settings["model"]) if name is None else name
        return _whole_path(self.aliases.model(current))

    def _model_at_hand(self) -> str:
        """Return the current model; a server that is new here may lend its first."""
        server = str(self.settings["server"])
        if server and not self._settled:
            backend = self.backend
            with suppress(BackendError):  # the question itself will show what is wrong
                model_choice.settle(self.settings, backend.models(), server)
                self._settled = True
        return self._model()

    def _address(self) -> str:
        server = str(self.settings["server"])
        return self.servers.find(server).url if server else LOCAL

    def _chosen(
        self, values: Mapping[str, object], given: Collection[str]
    ) -> frozenset[str]:
        """Return the names of the parameters that are sent and no mere defaults."""
        return frozenset(
            name
            for name in PARAMETERS
            if values[name] is not None
            and (
                name in given
                or self.settings.chosen(name)
                or values[name] != SETTINGS[name].default
            )
        )

    def _threads(self, thread: str | None, everything: bool) -> tuple[Thread, ...]:
        """Return the threads to export; there is at least one turn in them."""
        name = self._name(thread)
        names = [t.name for t in self.threads()] if everything else [name]
        threads = tuple(Thread(n, self.turns(n)) for n in names)
        if not any(t.turns for t in threads):
            where = "the conversation" if everything else f"thread {name}"
            raise ConfigurationError(f"{where} has no turn to export: ask something")
        return threads

    def _name(self, thread: str | None) -> str:
        return self.thread if thread is None else str(SETTINGS["thread"].check(thread))

    def _go_to_kept_thread(self) -> None:
        """Go to the thread that the notebook was left in, if nobody chose another."""
        kept = self.record.thread
        if kept and not self.settings.chosen("thread"):
            self.settings.set("thread", kept, KEPT)

    def _on_setting(self, name: str) -> None:
        if name == "server":
            self._exchange.disconnect()
            model_choice.give_back(self.settings)
            self._settled = False
        elif name == "thread":
            self.record.thread = self.thread


#: The settings that a question takes along as they are.
_OF_A_QUESTION = (
    "model",
    "system",
    "thread",
    "strict",
    "max_turns",
    "context",
    "send_partial",
    "format",
    "reasoning",
)


def _as_schema(source: object) -> dict[str, Any] | None:
    if source is None:
        return None
    from h2o_magic.schemas import as_schema  # noqa: PLC0415

    return as_schema(source)


def _whole_path(model: str) -> str:
    """Return the model to ask for; a weights file beside the notebook by its path.

    The server runs in another folder, so a path must be whole.
    """
    path = Path(model).expanduser()
    return str(path.resolve()) if path.suffix == ".gguf" and path.is_file() else model


def _asked_under(turn: Turn) -> dict[str, object]:
    """Return the settings that a turn was asked under, as far as they are known."""
    options: dict[str, object] = {"system": turn.system}
    if turn.model:
        options["model"] = turn.model
    sent = turn.facts.get("parameters")
    if isinstance(sent, Mapping):
        options |= {name: sent.get(name) for name in PARAMETERS}
    return options
