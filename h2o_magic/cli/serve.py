"""``h2o-magic serve``: runs a local server; needs the extra ``local``."""

from __future__ import annotations

import argparse
import os

from h2o_magic.backends.local.locate import is_installed
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.paths import runtime_file
from h2o_magic.errors import MissingExtraError
from h2o_magic.server.run_settings import Settings
from h2o_magic.server.serve import serve


def run(options: argparse.Namespace) -> None:
    if not is_installed():  # only the engines' processes import it
        raise MissingExtraError("the local server", "local")
    idle_setting = SETTINGS["server_idle_minutes"]
    shared = options.token_file is not None
    idle, grace, models = options.idle_minutes, options.grace, options.models
    if idle is None:
        text = os.environ.get(idle_setting.variable)
        value = idle_setting.parse(text) if text else idle_setting.default
        idle = 0.0 if shared else value
    serve(
        Settings(
            host=options.host,
            port=options.port,
            slots=options.slots,
            queue=options.queue,
            idle_minutes=idle,
            memory=options.memory,
            grace=(30.0 if shared else 0.0) if grace is None else grace,
            models=None if models is None else tuple(map(str.strip, models.split(","))),
            token_file=options.token_file,
            runtime_file=options.runtime_file or (None if shared else runtime_file()),
            log_file=options.log_file,
        )
    )
