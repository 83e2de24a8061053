"""Processes that are forked from one that has imported what they need."""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["__main__", "tests.conversation.worker", "tests.kernel.forked"]
)
