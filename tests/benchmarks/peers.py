"""Peers that are libraries, as commands: `python peers.py read-save|deid SOURCE OUT`, and `python peers.py versions`.

Run by the Python of the peers' own virtual environment, so it imports nothing of ours.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path


def read_save(source: Path, out: Path) -> None:
    """What pydicom takes to read every element and write it again, unchanged: no de-identification."""
    import pydicom

    for path in sorted(source.iterdir()):
        pydicom.dcmread(path).save_as(out / path.name)


def deid(source: Path, out: Path) -> None:
    """Headers by the recipe that deid takes when it is given none."""
    from deid.dicom import replace_identifiers

    replace_identifiers([str(path) for path in sorted(source.iterdir())], save=True, output_folder=str(out))


def versions() -> None:
    """One JSON object on stdout."""
    print(json.dumps({name: version(name) for name in ("pydicom", "dicognito", "dicom-anonymizer", "deid")}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["read-save", source, out]:
            read_save(Path(source), Path(out))
        case ["deid", source, out]:
            deid(Path(source), Path(out))
        case ["versions"]:
            versions()
        case _:
            sys.exit(__doc__)
