"""Code of answers as cells, by the page's own module."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from h2o_magic import chat_panel

MODULE = Path(chat_panel.__file__).parent / "js" / "cellsource.js"

CELLS = [
    ("x = 1\n", "python", "x = 1\n", ""),
    ("x = 1", "", "x = 1", ""),
    (">>> x = 1\n>>> f(\n...   x)\n3", "pycon", "x = 1\nf(\n  x)", ""),
    ("ls -l", "bash", "!ls -l", " as a ! cell"),
    ("$ ls\na.py\n$ pwd", "console", "%%bash\nls\npwd", " as a %%bash cell"),
    ("$ ls\na.py", "console", "!ls", " as a ! cell"),
    ("ls\npwd", "sh", "%%sh\nls\npwd", " as a %%sh cell"),
    ("ls \\\n  -l", "bash", "%%bash\nls \\\n  -l", " as a %%bash cell"),
    ("pip install a", "bash", "%pip install a", " as a %pip cell"),
    ("python -m pip install a", "sh", "%pip install a", " as a %pip cell"),
    ("pip3 install a", "shell", "%pip install a", " as a %pip cell"),
    ("cd /tmp", "bash", "%cd /tmp", " as a %cd cell"),
    ("<p>", "html", "%%html\n<p>", " as a %%html cell"),
    ('{"a": 1}', "json", None, None),
    ("SELECT 1", "sql", None, None),
    ("graph TD", "mermaid", None, None),
]


def test_code_becomes_a_cell_that_runs_it_where_one_can() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH")
    module = MODULE.read_text("utf-8").replace("export ", "")
    asked = json.dumps([[code, language] for code, language, _, _ in CELLS])
    script = (
        f"{module}\nconsole.log(JSON.stringify({asked}.map(a => cellSource(...a))))"
    )
    done = subprocess.run([node, "-e", script], capture_output=True, check=True)
    assert json.loads(done.stdout) == [
        None if source is None else {"source": source, "as": kind}
        for _, _, source, kind in CELLS
    ]
