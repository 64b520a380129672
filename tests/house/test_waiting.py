"""A command waits for what it needs: what takes long to import is not imported by one that has no use for it."""

import subprocess
import sys

import pytest

LONG = "numpy onnxruntime torch pydicom pydantic pyarrow sqlalchemy alembic rich lxml cv2 spacy presidio_analyzer PIL"
HELP = "from governance.cli.arguments import _parser; _parser().format_help()"
TRACE = "from governance import pipeline; pipeline.find, pipeline.touched_by, pipeline.open_context"


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        pytest.param("import governance.cli", set(), id="the program"),
        pytest.param(HELP, set(), id="its help"),
        pytest.param(TRACE, {"sqlalchemy"}, id="a trace"),
    ],
)
def test_what_takes_long_is_not_waited_for(code: str, needed: set[str]) -> None:
    said = f"import sys; {code}; print(*set({LONG.split()}) & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == needed
