"""Text that looks like dates or numbers, and values that differ by spelling only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from h2o_magic.prompts.limits import cut_end

#: Share of the values from which on a column is called one of dates or numbers.
_MOST = 0.6

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AP]M)?(?:Z| ?[+-]\d\d:?\d\d)?)?"
_KINDS = {
    "dates": re.compile(
        rf"(?:\d{{4}}([-/.])\d{{1,2}}\1\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\2\d{{2,4}}"
        rf"|\d{{1,2}}[. -]*{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}){_TIME}",
        re.IGNORECASE,
    ),
    "numbers": re.compile(
        r"[-+]?[$€£¥]? ?[-+]?(?:\d[\d, ']*)?[.,]?\d+(?:e[-+]?\d+)? ?[%€$]?"
    ),
}


def disguise(counts: Mapping[str, int]) -> str:
    """Return what texts look like, by how often each occurs; empty if like text."""
    total = sum(counts.values())
    for kind, pattern in _KINDS.items():
        others = [text for text in counts if not pattern.fullmatch(text.strip()[:60])]
        odd = sum(counts[text] for text in others)
        if total and total - odd >= _MOST * total:
            such = f" except {odd} ({cut_end(others[0], 20)!r})" if odd else ""
            return f"text that looks like {kind}{such}{_forms(counts, kind)}"
    same = {" ".join(text[:100].lower().split()) for text in counts}
    if len(same) < len(counts):
        return f"{len(same)} distinct but for case and spaces"
    return ""


def _forms(counts: Mapping[str, int], kind: str) -> str:
    """Return the forms that dates are written in, commonest first, if several."""
    forms: Counter[str] = Counter()
    for text, count in counts.items():
        if kind == "dates" and _KINDS[kind].fullmatch(text.strip()[:60]):
            forms[re.sub(r"[A-Za-z]+", "Mon", re.sub(r"\d", "9", text.strip()))] += (
                count
            )
    if len(forms) < 2:
        return ""
    shown = ", ".join(f"{form} ({count})" for form, count in forms.most_common(3))
    return f"; forms {shown}"
