"""Tables of every kind as rows to read, and columns to add."""

from h2o_magic.tables.rows.base import BATCH, Kind, Kinds, Row, Rows
from h2o_magic.tables.rows.opening import rows_of
from h2o_magic.tables.rows.target import Target

__all__ = ["BATCH", "Kind", "Kinds", "Row", "Rows", "Target", "rows_of"]
