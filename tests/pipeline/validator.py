"""What dciodvfy of dicom3tools says about a file."""

import re
import subprocess
from pathlib import Path

# Values and numbers change on purpose; names of attributes and modules tell one error from another.
_CHANGING = re.compile(r"(?<!Element=)(?<!Module=)(?<!attribute )<[^>]*>|= (?!\w*=) *\S+|(?<!Type )\b\d[\d.]*")


def errors(dciodvfy: str, path: Path) -> set[str]:
    """The errors, each with its attribute and module, without the values that the pipeline replaces on purpose."""
    done = subprocess.run([dciodvfy, str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return {_CHANGING.sub("*", line) for line in lines if line.startswith("Error")}
