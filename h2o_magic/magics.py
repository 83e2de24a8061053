"""The magics ``%%h2o`` and ``%h2o``: parse, ask, show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, TraitError, Unicode, observe, validate

from h2o_magic import captions
from h2o_magic.arguments import AskOptions, parse_ask, parse_cell_line
from h2o_magic.catalogue import DEFAULT_MODEL
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.events import Replaced, TextDelta

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from h2o_magic.backends import Backend
    from h2o_magic.display import AnswerView
    from h2o_magic.session import Answer, NotebookSession

__all__ = ["AnswerStopped", "H2OMagics"]


class AnswerStopped(KeyboardInterrupt):
    """The user stopped an answer. It ends a Run All, and shows one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn this package's errors into IPython's one-line ``UsageError``.

    IPython tests for exactly this class; a subclass would show a traceback.
    """
    try:
        yield
    except H2OMagicError as error:
        raise UsageError(" ".join(str(error).split())) from error


@contextmanager
def interrupts() -> Iterator[None]:
    """Turn an interrupt, wherever it comes, into one line that says what is left."""
    try:
        yield
    except AnswerStopped:
        raise
    except KeyboardInterrupt:
        raise AnswerStopped("Stopped before any text came.") from None


@magics_class
class H2OMagics(Magics):
    """Chat with a language model: ``%%h2o`` cells and the ``%h2o`` line."""

    model = Unicode(DEFAULT_MODEL, help="The model that answers.").tag(config=True)
    system = Unicode("", help="How the model is to answer; empty: as it likes.").tag(
        config=True
    )
    strict = Bool(
        default_value=False,
        help="Refuse rather than answer from the built-in demo weights.",
    ).tag(config=True)
    server = Unicode(
        "", help="Address of a gpt-gm server; empty: the local one, started by need."
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell, **kwargs: Any) -> None:
        super().__init__(shell, **kwargs)
        self._session: NotebookSession | None = None
        self._cell = _running_cell(shell)
        self._asked = 0

    @property
    def session(self) -> NotebookSession:
        """The notebook's session, made when it is first needed."""
        if self._session is None:
            from h2o_magic.session import NotebookSession  # noqa: PLC0415

            self._session = NotebookSession(_backend(self.server))
        return self._session

    @no_var_expand
    @line_cell_magic
    def h2o(self, line: str, cell: str | None = None) -> None:
        """Ask a language model; ``%h2o help`` lists what it can do."""
        with usage_errors(), interrupts():
            from h2o_magic import subcommands  # noqa: PLC0415

            if cell is None:
                subcommands.run(self, line)
                return
            options = parse_cell_line(line)
            if options.help:
                subcommands.show_help(self)
            else:
                self.ask(options, cell, owns_cell=True)

    def ask_line(self, text: str) -> None:
        """Ask what stands on the rest of a line, after options."""
        from h2o_magic import subcommands  # noqa: PLC0415

        options, question = parse_ask(text)
        if options.help:
            subcommands.show_help(self)
        else:
            self.ask(options, question, owns_cell=False)

    def ask(self, options: AskOptions, question: str, *, owns_cell: bool) -> None:
        """Ask `question` and show the answer as it comes.

        Raises
        ------
        H2OMagicError
            If the question cannot be asked, or the answer breaks off; what came of it
            is shown first.
        AnswerStopped
            If the user interrupts.
        """
        from h2o_magic.display import make_view  # noqa: PLC0415

        model = _model(self.model if options.model is None else options.model)
        answer = self.session.ask(
            question,
            model=model,
            system_text=self.system if options.system is None else options.system,
            parameters=options.parameters,
            strict=self.strict if options.strict is None else options.strict,
            cell=self._next_key(),
        )
        view = make_view(
            self.shell,
            waiting=f"{model} …",
            owns_cell=owns_cell,
            live=options.live,
        )
        with view:
            _show(answer, view)

    @validate("server")
    def _check_server(self, proposal: dict[str, Any]) -> str:
        from h2o_magic.endpoint import check_base_url  # noqa: PLC0415

        try:
            return check_base_url(proposal["value"]) if proposal["value"] else ""
        except ConfigurationError as error:
            raise TraitError(str(error)) from error  # traitlets then takes it back

    @observe("server")
    def _on_server(self, change: dict[str, Any]) -> None:
        if self._session is not None:
            self._session.close()
            self._session.backend = _backend(change["new"])

    def close(self) -> None:
        """Give back what the session holds; called when the extension is unloaded."""
        if self._session is not None:
            self._session.close()

    def on_cell(self, info: ExecutionInfo) -> None:
        """Note which cell runs, by IPython's ``pre_run_cell`` event."""
        self._cell = info.cell_id
        self._asked = 0

    def _next_key(self) -> str | None:
        """Return the key of the next turn: the cell's id, numbered from the second."""
        self._asked += 1
        if self._cell is None or self._asked == 1:
            return self._cell
        return f"{self._cell}#{self._asked}"


def _show(answer: Answer, view: AnswerView) -> None:
    """Write an answer into its view, and end it there however it ends."""
    try:
        view.wait()
        with closing(iter(answer)) as events:  # type: ignore[type-var]
            for event in events:
                match event:
                    case TextDelta(text):
                        view.write(text)
                    case Replaced(text):
                        view.replace(text)
                    case _:
                        pass
    except (Exception, KeyboardInterrupt) as error:
        if not answer.text.strip():
            view.clear()
            raise
        if not isinstance(error, KeyboardInterrupt):
            _finish(answer, view, problem=str(error))
            raise
        _finish(answer, view)
        raise AnswerStopped("Stopped. The answer so far is kept.") from None
    _finish(answer, view)


def _finish(answer: Answer, view: AnswerView, problem: str = "") -> None:
    text, facts = answer.text, answer.facts
    view.finish(
        captions.answer_markdown(text, facts, problem),
        captions.answer_plain(text, facts, problem),
        {"h2o_magic": facts.as_metadata()},
    )


def _model(name: str) -> str:
    """Return the model to ask for; a weights file beside the notebook by its path.

    The server runs in another folder, so a path must be whole.
    """
    path = Path(name).expanduser()
    return str(path.resolve()) if path.suffix == ".gguf" and path.is_file() else name


def _backend(server: str) -> Backend:
    from h2o_magic.backends.gptgm import GptGmBackend  # noqa: PLC0415

    if server:
        return GptGmBackend(server)
    from h2o_magic.embedded import locate  # noqa: PLC0415

    return GptGmBackend(connection=locate)


def _running_cell(shell: InteractiveShell) -> str | None:
    """Return the id of the cell that loads the extension, whose event has passed."""
    get_parent: Callable[[], dict[str, Any]] | None
    get_parent = getattr(getattr(shell, "kernel", None), "get_parent", None)
    if get_parent is None:
        return None
    cell = get_parent().get("metadata", {}).get("cellId")
    return cell if isinstance(cell, str) else None
