"""The user's local server: found, or started."""
