"""Model files on this machine: found, read, pulled, removed."""
