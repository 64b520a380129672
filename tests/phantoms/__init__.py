"""Invented people in real files, and the answer key.

    plant.py     a Person; how it gets into headers and pixels
    plot.py      one leak case while it is built: its files and its markers
    cases.py     the 56 leak cases; container, texts, nested, private, pixels hold their builders
    archive.py   the demo archive: `python -m tests.phantoms.archive OUT`

All real files come from the pydicom package. Nobody here exists.
"""
