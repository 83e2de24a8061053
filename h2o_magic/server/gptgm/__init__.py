"""The gpt-gm protocol, for `create_completion` and clients of the old service."""
