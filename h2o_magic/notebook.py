"""The notebook's session: its conversation, asking on it, and the server that answers.

What magic, panel and Python code share. It knows no notebook: it takes a question with
the key of the cell that asks, and keeps the turn however the answer ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from h2o_magic.aliases import Aliases
from h2o_magic.asking import Answer
from h2o_magic.backends import Backend, ModelInfo
from h2o_magic.branching import BranchingConversation
from h2o_magic.configuring import Configuring
from h2o_magic.errors import BackendError, ConfigurationError
from h2o_magic.exchange import Exchange
from h2o_magic.expecting import expect
from h2o_magic.model_choice import whole_path
from h2o_magic.posing import Posing
from h2o_magic.presets import Presets
from h2o_magic.question import Question
from h2o_magic.record import Record
from h2o_magic.server_choice import ServerChoice
from h2o_magic.settings import Settings

# What most questions do without, and the first answer would wait for.
if TYPE_CHECKING:
    from h2o_magic.connecting import Connected
    from h2o_magic.fetching import FetchEvent
    from h2o_magic.known_servers import KnownServer
    from h2o_magic.model_lists import Listed
    from h2o_magic.preview import Preview
    from h2o_magic.servers import Servers

__all__ = ["RUNNING", "Answer", "NotebookSession"]


class _Running:
    """Stands for the key of the cell that runs."""

    def __repr__(self) -> str:
        return "RUNNING"


#: The default of `cell`: the cell that runs.
RUNNING = _Running()


class NotebookSession(BranchingConversation, Configuring):
    """One notebook's conversation with the models of a server.

    Everything that the magics do is a method here. ``h2o_magic.session()`` returns the
    session of the running notebook.

    Attributes
    ----------
    settings : Settings
        The settings in force.

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
        Returns the servers that can be connected to, when they are first needed; None
        for none but by their addresses.
    aliases
        The user's names for models; None for none.
    presets
        The presets of parameters; None for the built-in ones.
    connect
        Makes a backend of the setting ``server``; None for the local server and what
        `servers` knows.
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
        servers: Callable[[], Servers] | None = None,
        aliases: Aliases | None = None,
        presets: Presets | None = None,
        connect: Callable[[str], Backend] | None = None,
        cells: Callable[[str, bool], str | None] = lambda *_: None,
        coming_cells: Callable[[str, bool], str | None] = lambda *_: None,
    ) -> None:
        self._cells = cells
        self._coming_cells = coming_cells
        self._presets = Presets() if presets is None else presets
        settings = Settings() if settings is None else settings
        exchange = Exchange(
            Record(None, "") if record is None else record,
            lambda: (connect or self._choice.backend)(str(settings["server"])),
            lambda: self._choice.model_at_hand(),  # noqa: PLW0108 - made below
            backend,
            lambda model: self._choice.recommended_system(model),  # noqa: PLW0108
        )
        self._choice = ServerChoice(
            exchange,
            settings,
            _no_servers if servers is None else servers,
            Aliases() if aliases is None else aliases,
            settled=backend is not None,
        )
        super().__init__(exchange, settings, Posing(settings, self._choice.model))

    @property
    def servers(self) -> Servers:
        """The servers that are known, and looked for."""
        return self._choice.servers

    @servers.setter
    def servers(self, servers: Servers) -> None:
        self._choice.servers = servers

    @property
    def aliases(self) -> Aliases:
        """The user's names for models."""
        return self._choice.aliases

    @aliases.setter
    def aliases(self, aliases: Aliases) -> None:
        self._choice.aliases = aliases

    @property
    def backend(self) -> Backend:
        """The server that answers. Another may take its place; the turns stay."""
        return self._exchange.backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._exchange.backend = backend

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
        asked = self._posing.question(
            question, options, history=history, begins=new, schema=schema
        )
        return Answer(self._exchange, _of_cell(asked, cell, self._cells))

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
        asked = self._posing.question(
            question, options, history=history, begins=new, schema=schema
        )
        from h2o_magic.preview import preview  # noqa: PLC0415

        asked = _of_cell(asked, cell, self._coming_cells)
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
        return Answer(self._exchange, self._posing.again(turn, name, options))

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
            ``openai``, ``gpt-gm``, the name of one that a plug-in adds, or ``auto`` to
            find it out anew; empty for what is known, or else finding it out.
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
        from h2o_magic.keys import key_source  # noqa: PLC0415

        expect("a server", server, str)
        key = key_source(key_env=key_env, key_ring=key_ring, key_prompt=key_prompt)
        return self._choice.connect(server, name=name, dialect=dialect, key=key)

    def forget_server(self, name: str) -> KnownServer:
        """Forget a known server, by name or address, and return what was known of it.

        A session that is on it goes to the local one.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        return self._choice.forget(name)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If the server does not answer.
        """
        return self._choice.models()

    def current_model(self) -> ModelInfo | None:
        """Return what the server says of the model that would answer; None if nothing.

        A local server that does not run is not started for that.
        """
        from h2o_magic import embedded  # noqa: PLC0415

        if not self.settings["server"] and embedded.running() is None:
            return None
        with suppress(BackendError, ConfigurationError):
            return self._choice.current_model()
        return None

    def listed_models(self) -> Listed:
        """Return what the server offers, or offered when it answered last.

        Raises
        ------
        BackendError
            If the server does not answer, and never has.
        """
        return self._choice.listed_models()

    def pull(
        self, model: str, tell: Callable[[FetchEvent], None] = lambda _: None
    ) -> Path:
        """Download a model's weights from where they are, and return their path.

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
        return pull(whole_path(model), tell).path

    def remove_weights(
        self, model: str, tell: Callable[[str], None] = lambda _: None
    ) -> int:
        """Remove a model's downloaded weights, and return how many bytes were freed.

        A local server that holds them lets go of them first.

        Parameters
        ----------
        model
            As for :meth:`pull`.
        tell
            Told in words what of it stays, such as a download under way.

        Raises
        ------
        ConfigurationError
            If nothing of it is in the hub's cache, or it is answering right now.
        """
        from h2o_magic import embedded  # noqa: PLC0415
        from h2o_magic.server.removal import remove  # noqa: PLC0415

        expect("a model's name", model, str)
        return remove(whole_path(model), embedded.unload, tell)


def _no_servers() -> Servers:
    from h2o_magic.servers import Servers  # noqa: PLC0415

    return Servers()


def _of_cell(
    question: Question,
    cell: str | _Running | None,
    running: Callable[[str, bool], str | None],
) -> Question:
    """Return a question with the key of the cell that asks it."""
    if isinstance(cell, _Running):
        cell = running(question.thread, question.history)
    expect("the key of a cell", cell, str, optional=True)
    return replace(question, cell=cell)
