"""Which store has the answers of a run: the ledger, or a folder of stored answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from h2o_magic.config import paths
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.tables.job import Job
from h2o_magic.tables.row_requests import RowKeys
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.store.folder_answers import FolderAnswers
from h2o_magic.tables.store.ledger import Ledger
from h2o_magic.tables.store.ledger_answers import LedgerAnswers, RunFacts
from h2o_magic.weights.digest import weights_digest

#: A longer run uses a folder only if its cell says so.
MOST_IN_FOLDER = 1000
#: Characters of a prompt that the list of runs has.
_PROMPT = 200


def uses_folder(
    session: Session, written: Mapping[str, object], rows: int | None
) -> bool:
    """Return whether a folder has the answers: the cell says so, or the setting.

    `written` are the settings of the cell alone, `rows` is how many there are; None if
    that is not known.
    """
    if written.get("replay") is not None:
        return ReplayChoice.of(str(written["replay"])).mode != "off"
    choice = ReplayChoice.of(str(session.settings["replay"]))
    return choice.mode != "off" and rows is not None and rows <= MOST_IN_FOLDER


def open_store(
    job: Job, keys: RowKeys, warn: Callable[[str], None] = warnings.warn
) -> AnswerStore:
    """Return where the job's answers are looked for, and kept.

    `warn` gets one line if they cannot be kept.
    """
    asked, options = job.asked, job.options
    digest: Callable[[str], str] = (
        cache(weights_digest) if asked.serving.local else lambda _model: ""
    )
    if asked.replayed is not None:
        if not options.keep:
            raise ConfigurationError(
                "--no-keep and --replay cannot be combined: the folder would keep the "
                "answers"
            )
        replayed = replace(asked.replayed, weights=digest)
        return FolderAnswers(asked, replayed, job.requests, keys)
    facts = RunFacts(
        options.name,
        masked(" ".join(job.template.text.split())[:_PROMPT]),
        asked.model,
        digest(asked.request.model),
    )
    ledger = Ledger(paths.ledger_file() if options.keep else None, warn)
    return LedgerAnswers(ledger, facts, forget=options.forget)
