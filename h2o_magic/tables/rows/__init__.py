"""Tables of every kind as rows to read, and columns to add."""

from h2o_magic.tables.rows.base import BATCH, Kind, Kinds, Row, Rows, free_name
from h2o_magic.tables.rows.files import Target
from h2o_magic.tables.rows.opening import rows_of

__all__ = ["BATCH", "Kind", "Kinds", "Row", "Rows", "Target", "free_name", "rows_of"]
