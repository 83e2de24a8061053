"""What a run would ask, and about how many tokens and how much time it needs.

Measured with some rows, which are asked: spread over the lengths of the prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import NamedTuple

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.job import Job
from h2o_magic.tables.preview import Estimate, Preview
from h2o_magic.tables.row_requests import RowKeys
from h2o_magic.tables.rows.records import Records
from h2o_magic.tables.runner import Tell, run_job
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.running.usage import RunUsage
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.store.opening import open_store

#: Rows that are asked, prompts that are shown.
SAMPLE, PROMPTS = 20, 3
#: Rows that are kept of which the sample is chosen.
_CANDIDATES = 400


def preview(job: Job, tell: Tell = lambda _progress: None) -> Preview:
    """Return what a job would ask; up to 20 of its rows are asked for that."""
    keys = RowKeys(job.requests, job.asked.server, job.asked.model)
    store, looked = open_store(job, keys), Progress()
    try:
        scan = _Scan(job, keys, store)
    finally:
        looked.end("done")
        store.flush(looked)
        store.close()
    known = Preview(
        tuple(scan.prompts),
        scan.rows,
        len(scan.seen),
        scan.known,
        unusable=scan.unusable,
        left=scan.left,
        keeps=job.options.keep and not job.options.forget,
        price=job.options.price,
        notes=job.notes,
    )
    sample = scan.sample()
    return _measured(known, job, sample, store, tell) if sample else known


def _measured(
    known: Preview, job: Job, sample: list[_Candidate], store: AnswerStore, tell: Tell
) -> Preview:
    """Ask the sample, and say what the rows will take that are left then."""
    progress = Progress(len(sample))
    rows = Records(
        [dict(zip(job.template.columns, each.row, strict=True)) for each in sample]
    )
    options = replace(job.options, budget=None, max_errors=None)
    run_job(
        replace(job, rows=rows, options=options),
        tell,
        progress,
        store=store,
        keys=_SampleKeys(job, [each.number for each in sample]),
    )
    answers = list(store.answers([each.key for each in sample]).values())
    store.close()
    known = replace(
        known,
        sampled=progress.asked,
        failed=progress.errors,
        used=RunUsage.of_run(progress),
        left=known.left - (len(answers) if known.keeps else 0),
    )
    if not answers:
        (trouble, _), *_ = progress.most_frequent(1) or [("the run was stopped", 0)]
        return replace(known, trouble=progress.reason or trouble)
    return estimated(known, answers, job.options.width or progress.width)


def estimated(known: Preview, answers: Sequence[RowAnswer], width: int) -> Preview:
    """Return what the rows that are left will take, by the answers to some."""
    if not known.left:
        return known
    at_once = max(min(width, known.left), 1)
    found = replace(
        known,
        width=at_once,
        seconds=_sum([each.seconds / at_once for each in answers], known.left),
    )
    read = [each.prompt_tokens for each in answers if each.prompt_tokens is not None]
    written = [
        each.completion_tokens for each in answers if each.completion_tokens is not None
    ]
    if len(read) == len(written) == len(answers):
        costs = map(known.price.cost, read, written) if known.price else ()
        found = replace(
            found,
            read=_sum(read, known.left),
            written=_sum(written, known.left),
            cost=_sum(list(costs), known.left),
        )
    return found


def _sum(values: Sequence[float], rows: int) -> Estimate | None:
    """Return the sum over rows of which a few are known; None of none.

    The range is twice the standard error of the mean, or half of it of two rows.
    """
    if not values:
        return None
    mean = fmean(values)
    error = mean / 2
    if len(values) > 2:
        error = 2 * stdev(values) / math.sqrt(len(values))
    return Estimate(rows * mean, rows * max(mean - error, 0.0), rows * (mean + error))


class _Candidate(NamedTuple):
    """A row that could be asked: the length of its prompt, and its number."""

    size: int
    number: int
    key: bytes
    row: tuple[object, ...]


class _Scan:
    """What is known of all rows without asking; keeps some that could be asked."""

    def __init__(self, job: Job, keys: RowKeys, store: AnswerStore) -> None:
        self.prompts: list[str] = []
        self.rows = self.known = self.unusable = 0
        self.left = 0  # different prompts without an answer
        self.seen: set[bytes] = set()
        self._candidates: list[_Candidate] = []
        self._step = 1
        for batch in job.rows.batches(job.template.columns):
            new = dict(self._new(job, keys, batch))
            known = store.known({key: text for key, (text, _) in new.items()})
            self.known += len(known)
            for key, (_, candidate) in new.items():
                if key not in known:
                    self._add(candidate)

    def _new(
        self, job: Job, keys: RowKeys, batch: Sequence[tuple[object, ...]]
    ) -> Iterator[tuple[bytes, tuple[str, _Candidate]]]:
        for number, row in enumerate(batch, self.rows):
            try:
                text = job.requests.text(row)
                job.check(text)
            except ConfigurationError:
                self.unusable += 1
                continue
            if len(self.prompts) < PROMPTS:
                self.prompts.append(text)
            key = keys.of(text, number if job.options.each else None)
            if key not in self.seen:
                self.seen.add(key)
                yield key, (text, _Candidate(len(text), number, key, row))
        self.rows += len(batch)

    def _add(self, candidate: _Candidate) -> None:
        if self.left % self._step == 0:
            self._candidates.append(candidate)
            if len(self._candidates) >= _CANDIDATES:
                del self._candidates[1::2]
                self._step *= 2
        self.left += 1

    def sample(self) -> list[_Candidate]:
        """Return the rows to ask, in the table's order."""
        found = self._candidates
        if len(found) > SAMPLE:
            found = sorted(found, key=lambda each: each[:2])
            part = len(found) / SAMPLE
            found = [found[int((n + 0.5) * part)] for n in range(SAMPLE)]
        return sorted(found, key=lambda each: each.number)


class _SampleKeys(RowKeys):
    """Keys of some rows, by the numbers that they have in the whole table."""

    def __init__(self, job: Job, numbers: Sequence[int]) -> None:
        super().__init__(job.requests, job.asked.server, job.asked.model)
        self._numbers = numbers

    def of(self, text: str, number: int | None = None) -> bytes:
        return super().of(text, None if number is None else self._numbers[number])
