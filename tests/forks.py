"""Processes that are forked from one that has imported what they need."""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
#: There is one such process for all tests of a worker.
PROCESSES.set_forkserver_preload(
    [
        "__main__",
        "filelock",
        "ipykernel.debugger",
        "jsonschema",
        "requests",
        "tests.conversation.worker",
        "tests.kernel.forked",
    ]
)
