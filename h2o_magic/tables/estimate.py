"""What a run would ask, and about how many tokens and how much time it needs.

Measured with some rows, which are asked: spread over the lengths of the prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import nsmallest
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
    forget, options = job.options.forget, job.options
    if forget and job.asked.replayed is None:  # so that it is no run that forgets
        job = replace(job, options=replace(options, forget=False, keep=False))
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
        keeps=options.keep and not options.forget,
        price=options.price,
        budget=options.budget,
        notes=job.notes,
    )
    return _measured(known, job, scan.sample, store, tell) if scan.sample else known


def _measured(
    known: Preview, job: Job, sample: list[_Candidate], store: AnswerStore, tell: Tell
) -> Preview:
    """Ask the sample, and say what the rows will take that are left then."""
    progress = Progress(len(sample), price=job.options.price)
    rows = Records(
        [dict(zip(job.template.columns, each.row, strict=True)) for each in sample]
    )
    options = replace(job.options, max_errors=None)
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
        failed=progress.errors - progress.unasked,
        used=RunUsage.of_run(progress),
        left=known.left - (len(answers) if known.keeps else 0),
    )
    if not answers:
        (trouble, _), *_ = progress.most_frequent(1) or [("the run was stopped", 0)]
        return replace(known, trouble=progress.reason or trouble)
    if not known.left:
        return known
    return estimated(known, answers, progress.width, progress.seconds)


def estimated(
    known: Preview, answers: Sequence[RowAnswer], width: int, seconds: float
) -> Preview:
    """Return what the rows that are left will take, by the answers to some.

    The answers took so many `seconds` together. A run begins as slowly, and then has
    so many rows in flight as its `width` is.
    """
    left, sampled = known.left, len(answers)
    begin, rest = seconds * min(left, sampled) / sampled, max(left - sampled, 0)
    at_once = max(min(width, left), 1)
    later = _sum([each.seconds / at_once for each in answers], rest)
    time = Estimate(*(begin + each for each in later))
    found = replace(known, seconds=time, width=at_once)
    read = [each.prompt_tokens for each in answers if each.prompt_tokens is not None]
    written = [
        each.completion_tokens for each in answers if each.completion_tokens is not None
    ]
    if not len(read) == len(written) == sampled:
        return found
    found = replace(found, read=_sum(read, left), written=_sum(written, left))
    if known.price is None:
        return found
    return replace(found, cost=_sum(list(map(known.price.cost, read, written)), left))


def _sum(values: Sequence[float], rows: int) -> Estimate:
    """Return the sum over rows of which a few are known.

    The range is twice the standard error of the mean, or half of it of two rows.
    """
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
    """What is known of all rows without asking, and the `sample` of those to ask."""

    def __init__(self, job: Job, keys: RowKeys, store: AnswerStore) -> None:
        self.prompts: list[str] = []
        self.rows = self.known = self.unusable = 0
        self.left = 0  # different prompts without an answer
        self.seen: set[bytes] = set()
        # Those with the smallest keys, which are digests, are some by chance.
        found = nsmallest(
            _CANDIDATES, self._unknown(job, keys, store), key=lambda each: each.key
        )
        if len(found) > SAMPLE:
            found.sort(key=lambda each: each.size)
            part = len(found) / SAMPLE
            found = [found[int((n + 0.5) * part)] for n in range(SAMPLE)]
        self.sample = sorted(found, key=lambda each: each.number)

    def _unknown(
        self, job: Job, keys: RowKeys, store: AnswerStore
    ) -> Iterator[_Candidate]:
        for batch in job.rows.batches(job.template.columns):
            new = list(self._new(job, keys, batch))
            known = store.known({each.key: text for text, each in new})
            self.known += len(known)
            unknown = [each for _, each in new if each.key not in known]
            self.left += len(unknown)
            yield from unknown

    def _new(
        self, job: Job, keys: RowKeys, batch: Sequence[tuple[object, ...]]
    ) -> Iterator[tuple[str, _Candidate]]:
        """Yield the prompts that were not seen before, and their rows."""
        for number, row in enumerate(batch, self.rows):
            try:
                text = job.requests.text(row)
                job.check(text)
            except ConfigurationError:
                self.unusable += 1
                continue
            if len(self.prompts) < PROMPTS and text not in self.prompts:
                self.prompts.append(text)
            key = keys.of(text, number if job.options.each else None)
            if key not in self.seen:
                self.seen.add(key)
                yield text, _Candidate(len(text), number, key, row)
        self.rows += len(batch)


class _SampleKeys(RowKeys):
    """Keys of some rows, by the numbers that they have in the whole table."""

    def __init__(self, job: Job, numbers: Sequence[int]) -> None:
        super().__init__(job.requests, job.asked.server, job.asked.model)
        self._numbers = numbers

    def of(self, text: str, number: int | None = None) -> bytes:
        return super().of(text, None if number is None else self._numbers[number])
