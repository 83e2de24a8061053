"""``python -m h2o_magic.cli``: the command ``h2o-magic``."""

import sys

from h2o_magic.cli import main

if __name__ == "__main__":
    sys.exit(main())
