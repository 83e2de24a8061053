"""What a run would ask, and about how many tokens and how much time it needs.

Measured with some rows, which are asked: spread over the table, and over the lengths of
its prompts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.job import Job
from h2o_magic.tables.preview import Guess, Preview
from h2o_magic.tables.row_requests import RowKeys
from h2o_magic.tables.rows import Kinds, Row, Rows
from h2o_magic.tables.runner import Tell, run_job
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.opening import open_store

#: Rows that are asked, prompts that are shown.
SAMPLE, PROMPTS = 20, 3
#: Rows that are kept of which the sample is chosen.
_CANDIDATES = 400


def preview(job: Job, tell: Tell = lambda _progress: None) -> Preview:
    """Return what a job would ask; up to 20 of its rows are asked for that."""
    scan = _Scan(job)
    known = Preview(
        tuple(scan.prompts),
        scan.rows,
        len(scan.seen),
        scan.known,
        keeps=job.options.keep,
        price=job.options.price,
        unusable=scan.unusable,
        notes=job.notes,
    )
    sample = scan.sample()
    if not sample:
        return known
    progress = Progress(len(sample))
    rows = _SampledRows(tuple(job.template.columns), [row for _, row in sample])
    options = replace(job.options, forget=False, budget=None, max_errors=None)
    mapped = run_job(replace(job, rows=rows, options=options), tell, progress)
    found = [
        (size, answer)
        for (size, _), answer in zip(sample, mapped.answers(), strict=False)
        if answer is not None
    ]
    known = replace(known, sampled=progress.asked, width=progress.width)
    if not found:
        (trouble, _), *_ = progress.most_frequent(1) or [("the run was stopped", 0)]
        return replace(known, trouble=progress.reason or trouble)
    return _estimated(known, scan, found, job.options.width)


def _estimated(
    known: Preview, scan: _Scan, found: list[tuple[int, RowAnswer]], width: int | None
) -> Preview:
    sizes = [size for size, _ in found]
    left = max(scan.left - known.sampled, 0)
    size = round(scan.size * left / scan.left)

    def guess(values: list[float | None]) -> Guess | None:
        counted = [value for value in values if value is not None]
        if len(counted) < len(sizes):
            return None
        return extrapolated(sizes, counted, left, size)

    at_once = max(min(width or known.width, left), 1)
    seconds = guess([answer.seconds for _, answer in found])
    return replace(
        known,
        read=guess([answer.prompt_tokens for _, answer in found]),
        written=guess([answer.completion_tokens for _, answer in found]),
        seconds=seconds and seconds.times(1 / at_once),
        width=at_once,
    )


def extrapolated(
    sizes: Sequence[float], values: Sequence[float], rows: int, size: float
) -> Guess:
    """Return the sum of something over rows of which a few are known.

    It grows with the size of a row's text, on average by a line through those that are
    known; `size` is that of all rows together. The range holds it 19 times in 20.
    """
    count = len(sizes)
    mean_size, mean = sum(sizes) / count, sum(values) / count
    spread = sum((x - mean_size) ** 2 for x in sizes)
    slope = 0.0
    if spread:
        pairs = zip(sizes, values, strict=True)
        slope = sum((x - mean_size) * (y - mean) for x, y in pairs) / spread
    total = max(rows * mean + slope * (size - rows * mean_size), 0.0)
    if count < 3:
        return Guess(total, total / 2, total * 2)
    rest = (
        y - mean - slope * (x - mean_size) for x, y in zip(sizes, values, strict=True)
    )
    deviation = math.sqrt(sum(each**2 for each in rest) / (count - 2))
    error = 2 * rows * deviation / math.sqrt(count)
    return Guess(total, max(total - error, 0.0), total + error)


class _Scan:
    """What is known of all rows without asking; keeps some that could be asked."""

    def __init__(self, job: Job) -> None:
        self.prompts: list[str] = []
        self.rows = self.known = self.unusable = 0
        self.left = self.size = 0  # different prompts without an answer, and their size
        self.seen: set[bytes] = set()
        self._each = job.options.each
        self._candidates: list[tuple[int, int, tuple[object, ...]]] = []
        self._step = 1
        keys = RowKeys(job.requests, job.asked.server, job.asked.model)
        store = open_store(job, keys)
        try:
            for batch in job.rows.batches(job.template.columns):
                new = dict(self._new(job, keys, batch))
                known = store.known({key: text for key, (text, _, _) in new.items()})
                self.known += len(known)
                for key, (text, number, row) in new.items():
                    if key not in known or job.options.forget:
                        self._add(len(text), number, row)
        finally:
            ended = Progress()
            ended.end("done")
            store.flush(ended)
            store.close()

    def _new(
        self, job: Job, keys: RowKeys, batch: Sequence[tuple[object, ...]]
    ) -> Iterator[tuple[bytes, tuple[str, int, tuple[object, ...]]]]:
        for row in batch:
            number = self.rows
            self.rows += 1
            try:
                text = job.requests.text(row)
                job.check(text)
            except ConfigurationError:
                self.unusable += 1
                continue
            if len(self.prompts) < PROMPTS:
                self.prompts.append(text)
            key = keys.of(text, number if self._each else None)
            if key not in self.seen:
                self.seen.add(key)
                yield key, (text, number, row)

    def _add(self, size: int, number: int, row: tuple[object, ...]) -> None:
        if self.left % self._step == 0:
            self._candidates.append((size, number, row))
            if len(self._candidates) >= _CANDIDATES and not self._each:
                del self._candidates[1::2]
                self._step *= 2
        self.left += 1
        self.size += size

    def sample(self) -> list[tuple[int, tuple[object, ...]]]:
        """Return the size and the values of the rows to ask, in the table's order.

        The first ones where each row is asked for itself: their number is in their key.
        """
        found = self._candidates
        if self._each:
            first = (row for row in found if row[1] < SAMPLE)
            return [(size, row) for size, _, row in islice(first, SAMPLE)]
        if len(found) > SAMPLE:
            found = sorted(found, key=lambda row: row[:2])
            part = len(found) / SAMPLE
            found = [found[int((n + 0.5) * part)] for n in range(SAMPLE)]
        ordered = sorted(found, key=lambda row: row[1])
        return [(size, row) for size, _, row in ordered]


class _SampledRows(Rows):
    """Some rows of a table, with the values that a template takes."""

    def __init__(self, names: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
        self.names = names
        self.count = len(rows)
        self._rows = rows

    def batches(self, columns: Sequence[str]) -> Iterator[list[tuple[object, ...]]]:
        places = [self.names.index(name) for name in columns]
        yield [tuple(row[place] for place in places) for row in self._rows]

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        names = [*self.names, *kinds]
        rows = zip(self._rows, answers, strict=False)
        return [dict(zip(names, (*a, *b), strict=True)) for a, b in rows]

    def take(self, numbers: Sequence[int]) -> Rows:
        return _SampledRows(self.names, [self._rows[n] for n in numbers])
