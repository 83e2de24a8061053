"""The server that lists and answers from weights, as its own tests have it."""

from tests.server.conftest import client, endless, noisy, serving, start

__all__ = ["client", "endless", "noisy", "serving", "start"]
