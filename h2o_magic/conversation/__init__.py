"""The notebook's session: its conversation, asking in it, and keeping it."""
