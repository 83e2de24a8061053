"""Answers as Markdown, tables, JSON, code and footers; foreign Markdown made safe."""
