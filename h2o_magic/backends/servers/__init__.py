"""The servers that are known by name: found, connected to, forgotten."""
