"""The notebook's session: its conversation, asking in it, and the server that answers.

What magic, panel and Python code share. It knows no notebook: it takes a question with
the key of the cell that asks, and keeps the turn however the answer ends.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from h2o_magic.backends.base import Backend
from h2o_magic.backends.local import locate
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.chat.turns import Turn
from h2o_magic.config.aliases import Aliases
from h2o_magic.config.presets import Preset, Presets
from h2o_magic.config.settings import Settings, find_setting
from h2o_magic.conversation import transfer
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.background import Background, BackgroundAnswer
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.context_use import ContextUse, context_use
from h2o_magic.conversation.downloads import Download, Downloads
from h2o_magic.conversation.model_choice import whole_path
from h2o_magic.conversation.notifications import DownloadChanged
from h2o_magic.conversation.prepare import prepare
from h2o_magic.conversation.preview import preview
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.question_builder import QuestionBuilder, in_place_of
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import ConfigurationError, expect
from h2o_magic.prompts.prompt import Prompt

# Most questions do without it, and the first answer would wait for the import.
if TYPE_CHECKING:
    from h2o_magic.conversation.preview import Preview
    from h2o_magic.conversation.side_by_side import SideBySide
    from h2o_magic.conversation.table_question import TableQuestion
    from h2o_magic.weights.progress import PullEvent

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Running:
    """Stands for the key of the cell that runs."""

    def __repr__(self) -> str:
        return "RUNNING"


#: The default of `cell`: the cell that runs.
RUNNING = _Running()


def _of_conversation(
    method: Callable[Concatenate[Conversation, _P], _T],
) -> Callable[Concatenate[Session, _P], _T]:
    @wraps(method)
    def called(self: Session, /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        return method(self.conversation, *arguments, **named)

    return called


def _of_connection(
    method: Callable[Concatenate[Connection, _P], _T],
) -> Callable[Concatenate[Session, _P], _T]:
    @wraps(method)
    def called(self: Session, /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        return method(self.connection, *arguments, **named)

    return called


class Session:
    """One notebook's conversation with the models of a server.

    Everything that the magics do is a method here. ``h2o_magic.session()`` returns the
    session of the running notebook.

    Attributes
    ----------
    settings : Settings
        The settings in force.
    conversation : Conversation
        The threads and their turns.
    connection : Connection
        The server and the model in use.
    downloads : Downloads
        The downloads of models in the background.

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
        Returns the known servers, when they are first needed; None for none.
    aliases
        The user's names for models; None for none.
    presets
        The presets of parameters; None for the built-in ones.
    connect
        Makes a backend of the setting ``server``; None for the local server and what
        `servers` knows.
    cells
        Returns the key of the running cell's next turn in a thread, or None without
        one; it is passed False for a question outside the conversation.
    coming_cells
        Returns the same for a question that is not asked yet, and counts nothing.
    folder
        Where folders of answers are looked for; None for the current one.
    warn
        Gets a line if an answer cannot be stored.

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
        folder: Path | None = None,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.settings = settings = Settings() if settings is None else settings
        self.conversation = Conversation(record or Record(None, ""), settings)
        self.connection = Connection(
            settings,
            Servers if servers is None else servers,
            Aliases() if aliases is None else aliases,
            connect,
            backend,
            folder=folder,
            warn=warn,
        )
        self._builder = QuestionBuilder(settings, self.connection)
        self._background = Background(self.conversation, self.connection)
        self.downloads = Downloads(self.pull, self._tell_of_download)
        self._presets = Presets() if presets is None else presets
        self._cells = cells
        self._coming_cells = coming_cells

    # Asking

    def ask(
        self,
        question: str | Prompt,
        *,
        attach: Iterable[object] = (),
        cell: str | _Running | None = RUNNING,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        fresh: bool = False,
        **options: object,
    ) -> Answer:
        """Ask `question` after the turns before it, and return the answer to come.

        Nothing is sent before the answer is iterated, or read.

        Parameters
        ----------
        question
            The user's text; white space around it does not count. Braces mean nothing
            in it.
        attach
            What to send along: paths of images, texts, tables (CSV) and PDFs, figures
            of matplotlib, plotly and altair, images of Pillow and IPython, arrays that
            are pictures.
        cell
            Key of the asking cell; by default that of the cell that runs, None for no
            cell. Asking again under the same key replaces its turn.
        history
            False asks outside the conversation: nothing of it is sent, and the turn is
            not kept. A turn of a `cell` that is given is removed.
        new
            True begins a new conversation with this question.
        schema
            What the answer has to fit: a JSON schema, a pydantic model, a dataclass, a
            TypedDict, or a type made of them. :meth:`Answer.value` returns an object of
            it.
        fresh
            True asks even if an answer is stored (setting ``replay``), and replaces it.
        **options
            Settings for this question only: ``model``, ``system``, ``thread``,
            ``max_turns``, ``temperature``, ... None leaves a parameter to the server.

        Raises
        ------
        ConfigurationError
            If an option or an attachment is refused, or an option unknown.
        MessagesError
            If the question is empty.
        """
        asked = self._builder.question(
            question,
            options,
            attach=attach,
            history=history,
            begins=new,
            schema=schema,
            fresh=fresh,
        )
        return Answer(
            _of_cell(asked, cell, self._cells), self.conversation, self.connection
        )

    def ask_side_by_side(
        self, question: str | Prompt, models: Sequence[str], **options: Any
    ) -> SideBySide:
        """Ask several models the same at once, and return their answers to come.

        `options` and errors are those of :meth:`ask`. The answers are versions of one
        turn, in which that of the first model counts until another is chosen.
        """
        from h2o_magic.conversation.side_by_side import SideBySide  # noqa: PLC0415 - few do

        asked = self.ask(question, model=models[0], **options).question
        resolved = map(self.connection.resolve, models)
        questions = [replace(asked, model=model) for model in resolved]
        return SideBySide(questions, self.conversation, self.connection)

    def preview(
        self,
        question: str | Prompt,
        *,
        attach: Iterable[object] = (),
        cell: str | _Running | None = RUNNING,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        fresh: bool = False,
        **options: object,
    ) -> Preview:
        """Return what :meth:`ask` would send, with the same arguments.

        No question is sent. The server may be asked to count the tokens.

        Raises
        ------
        ConfigurationError, MessagesError
            As :meth:`ask` does.
        """
        asked = self._builder.question(
            question,
            options,
            attach=attach,
            history=history,
            begins=new,
            schema=schema,
            fresh=fresh,
        )
        asked = _of_cell(asked, cell, self._coming_cells)
        return preview(prepare(asked, self.record, self.connection.answering(asked)))

    def table_question(
        self,
        question: str | Prompt,
        *,
        schema: object = None,
        fresh: bool = False,
        folder: bool = False,
        servers: Sequence[str] = (),
        **options: object,
    ) -> TableQuestion:
        """Prepare a question for all rows of a table, outside the conversation.

        With `folder`, their answers are where the setting ``replay`` says. `servers`
        share the rows, by name or address; without any, it is the session's. The errors
        are those of :meth:`ask`, and of asking.
        """
        from h2o_magic.conversation.table_question import table_question  # noqa: PLC0415 - few ask tables

        asked = self._builder.question(
            question, options, history=False, schema=schema, fresh=fresh
        )
        return table_question(
            asked, self.record, self.connection, folder=folder, servers=servers
        )

    def cell_key(self, thread: str) -> str | None:
        """Return the key of the running cell's next turn in a thread, and count it.

        None if no cell runs, or the front end gives none.
        """
        return self._cells(thread, True)

    def context_use(
        self, question: str, *, more: int = 0, replaces: Turn | None = None
    ) -> ContextUse:
        """Return about how full the model's context would be with a question.

        No server is asked. `more` tokens are of the values and the files that go along;
        `replaces` is a turn of the current thread in whose place it would be asked.
        """
        asked = self._builder.question("?", {})  # a text may be empty so far
        if replaces is not None:
            asked = in_place_of(replaces, asked)
        text = question.strip()
        return context_use(text, more, asked, self.record, self.connection)

    def retry(self, *, thread: str | None = None, **options: object) -> Answer:
        """Ask a thread's last question again, in the place of its turn.

        `options` are settings that are to differ from those it was asked under. A
        ConfigurationError if there is no turn, or an option is unknown or refused.
        """
        name = self.conversation.name_of(thread)
        turns = self.record.turns(name, last=1)
        if not turns:
            raise ConfigurationError(
                f"thread {name} has no turn to try again: ask something first"
            )
        again = self._builder.again(turns[0], name, options)
        return Answer(again, self.conversation, self.connection)

    def ask_later(
        self,
        question: str | Prompt,
        *,
        attach: Iterable[object] = (),
        cell: str | None = None,
        thread: str | None = None,
        replaces: Turn | None = None,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        fresh: bool = False,
        **options: object,
    ) -> BackgroundAnswer:
        """Ask `question` in the background, and return at once.

        Interrupting the kernel does not stop it; :meth:`BackgroundAnswer.stop`,
        :meth:`stop` and :meth:`close` do.

        Parameters
        ----------
        question, attach, cell, history, new, schema, fresh, **options
            As for :meth:`ask`, except that no cell is the default.
        thread
            Name of the thread; None for the current one.
        replaces
            A turn of this thread, whose place and cell the new one takes.

        Raises
        ------
        ConfigurationError, MessagesError
            As :meth:`ask` does. A later error is in :attr:`BackgroundAnswer.error`.
        """
        expect("the key of a cell", cell, str, optional=True)
        expect("a turn", replaces, Turn, optional=True)
        options["thread"] = self.conversation.name_of(thread)
        asked = self._builder.question(
            question,
            options,
            attach=attach,
            history=history,
            begins=new,
            schema=schema,
            fresh=fresh,
        )
        if replaces is not None:
            asked = in_place_of(replaces, asked)
        if cell is not None:
            asked = replace(asked, cell=cell)
        return self._background.ask(asked)

    def ask_as_prepared(self, question: Question) -> BackgroundAnswer:
        """Ask a question in the background as it was prepared for an earlier answer.

        That of :attr:`Answer.question`, such as one that was withdrawn from the queue.
        """
        expect("a question", question, Question)
        return self._background.ask(question)

    def regenerate(
        self, number: int, thread: str | None = None, **options: object
    ) -> BackgroundAnswer:
        """Ask a turn's question again in the background, in its place.

        Turns have numbers from 1. `options` are settings that are to differ from those
        it was asked under: model, system text and parameters. A ConfigurationError if
        there is no such turn, or an option is unknown or refused.
        """
        turn, name = self.turn(number, thread), self.conversation.name_of(thread)
        return self._background.ask(self._builder.again(turn, name, options))

    def continue_answer(
        self, number: int, thread: str | None = None, **options: object
    ) -> BackgroundAnswer:
        """Let a turn's answer go on in the background: a new version, which is longer.

        The model is asked to continue where it stopped. Turns have numbers from 1.
        `options` are as for :meth:`regenerate`. A ConfigurationError if there is no
        such turn, or it has no answer, or an option is unknown or refused.
        """
        turn, name = self.turn(number, thread), self.conversation.name_of(thread)
        if not turn.answer.strip():
            raise ConfigurationError(
                f"turn {number} has no answer that could go on: ask it again"
            )
        asked = self._builder.again(turn, name, options)
        return self._background.ask(replace(asked, continues=turn.answer, fresh=False))

    def edit(
        self,
        number: int,
        question: str | Prompt,
        thread: str | None = None,
        **options: object,
    ) -> BackgroundAnswer:
        """Ask another question in a turn's place, in the background.

        Parameters
        ----------
        number
            The turn's, from 1.
        question
            What is asked instead.
        thread
            Name of the thread; None for the current one.
        **options
            Settings for this question only; for the others, those in force now apply.

        Raises
        ------
        ConfigurationError, MessagesError
            If there is no such turn, the question is empty, or an option is refused.
        """
        turn = self.turn(number, thread)
        return self.ask_later(question, thread=thread, replaces=turn, **options)  # type: ignore[arg-type]

    def stop_background(self) -> None:
        """Stop all answers in the background; wait two seconds at most."""
        self._background.close()

    def close(self) -> None:
        """Stop what runs in the background; release what server and record hold."""
        self.stop_background()
        self.downloads.close()
        self.connection.disconnect()
        self.record.close()

    # The conversation

    @property
    def record(self) -> Record:
        """Where the turns are kept."""
        return self.conversation.record

    @record.setter
    def record(self, record: Record) -> None:
        self.conversation.record = record

    @property
    def thread(self) -> str:
        """The name of the current thread."""
        return self.conversation.thread

    @thread.setter
    def thread(self, name: str) -> None:
        self.conversation.thread = name

    turns = _of_conversation(Conversation.turns)
    counts = _of_conversation(Conversation.counts)
    turn = _of_conversation(Conversation.turn)
    threads = _of_conversation(Conversation.threads)
    title = _of_conversation(Conversation.title)
    rename = _of_conversation(Conversation.rename)
    search = _of_conversation(Conversation.search)
    new_thread = _of_conversation(Conversation.new_thread)
    delete_thread = _of_conversation(Conversation.delete_thread)
    fork = _of_conversation(Conversation.fork)
    reset = _of_conversation(Conversation.reset)
    drop = _of_conversation(Conversation.drop)
    restore = _of_conversation(Conversation.restore)
    undo = _of_conversation(Conversation.undo)
    redo = _of_conversation(Conversation.redo)
    changed = _of_conversation(Conversation.changed)
    versions = _of_conversation(Conversation.versions)
    version_counts = _of_conversation(Conversation.version_counts)
    choose_version = _of_conversation(Conversation.choose_version)
    coming = _of_conversation(Conversation.coming)
    stop = _of_conversation(Conversation.stop)
    stop_runs = _of_conversation(Conversation.stop_runs)
    listen = _of_conversation(Conversation.listen)
    draft = _of_conversation(Conversation.draft)
    keep_draft = _of_conversation(Conversation.keep_draft)
    export_text = _of_conversation(transfer.export_text)
    export = _of_conversation(transfer.export)
    import_file = _of_conversation(transfer.import_file)

    # The server and its models

    @property
    def backend(self) -> Backend:
        """The server that answers. It can be replaced; the turns stay."""
        return self.connection.backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self.connection.backend = backend

    @property
    def servers(self) -> Servers:
        """The servers that are known, and looked for."""
        return self.connection.servers

    @servers.setter
    def servers(self, servers: Servers) -> None:
        self.connection.servers = servers

    @property
    def aliases(self) -> Aliases:
        """The user's names for models."""
        return self.connection.aliases

    @aliases.setter
    def aliases(self, aliases: Aliases) -> None:
        self.connection.aliases = aliases

    connect = _of_connection(Connection.connect)
    forget_server = _of_connection(Connection.forget_server)
    models = _of_connection(Connection.models)
    listed_models = _of_connection(Connection.listed_models)
    current_model = _of_connection(Connection.current_model)

    def pull(
        self, model: str, tell: Callable[[PullEvent], None] = lambda _: None
    ) -> Path:
        """Download a model's weights, and return their path.

        The next answer of the model comes from them. An interrupted download is
        resumed.

        Parameters
        ----------
        model
            A known model's name, ``owner/repository`` or ``owner/repository:file``.
        tell
            Called with the progress: events of `h2o_magic.weights.progress`.

        Raises
        ------
        ConfigurationError
            If there is no such model, or it does not fit on this machine.
        ConnectionFailedError
            If the hub cannot be reached or refuses.
        """
        from h2o_magic.weights.pull import pull  # noqa: PLC0415

        expect("a model's name", model, str)
        return pull(whole_path(model), tell).path

    def _tell_of_download(self, download: Download) -> None:
        self.conversation.notifications.send(DownloadChanged(download))

    def remove_weights(
        self, model: str, tell: Callable[[str], None] = lambda _: None
    ) -> int:
        """Remove a model's downloaded weights, and return how many bytes were freed.

        A local server unloads them first. `tell` gets a line for what stays, such as a
        running download. A ConfigurationError if nothing of it is in the hub's cache,
        or it is answering right now.
        """
        from h2o_magic.weights.remove import remove  # noqa: PLC0415

        expect("a model's name", model, str)
        return remove(whole_path(model), locate.unload_models, tell)

    # Settings

    def configure(self, **settings: object) -> None:
        """Change settings, by the names that ``%config H2OMagics`` lists.

        If a name is unknown or a value is refused, a ConfigurationError changes none.
        """
        for name, value in settings.items():
            find_setting(name).check(value)
        for name, value in settings.items():
            self.settings.set(name, value, "Python")

    def presets(self) -> Mapping[str, Preset]:
        """Return the presets by name: ``precise``, ``balanced``, ``creative``, yours.

        Each has values of generation parameters; using it leaves the others as they
        are.
        """
        return self._presets.all()

    @property
    def preset(self) -> str:
        """The name of the first preset that is in force; empty if none is."""
        return self._presets.current(self.settings)

    def use_preset(self, name: str) -> None:
        """Set the parameters of a preset; a ConfigurationError if it is unknown."""
        expect("a preset's name", name, str)
        self._presets.use(name, self.settings)

    def save_preset(self, name: str) -> None:
        """Save the current generation parameters under a name, for all notebooks.

        A ConfigurationError if the name is refused or built in, or the user's folder
        cannot be written.
        """
        expect("a preset's name", name, str)
        self._presets.save(name, self.settings.parameters())

    def remove_preset(self, name: str) -> None:
        """Remove a preset of yours; a ConfigurationError if it is none."""
        expect("a preset's name", name, str)
        self._presets.remove(name)


def _of_cell(
    question: Question,
    cell: str | _Running | None,
    running: Callable[[str, bool], str | None],
) -> Question:
    if isinstance(cell, _Running):
        cell = running(question.thread, question.history)
    expect("the key of a cell", cell, str, optional=True)
    return replace(question, cell=cell)
