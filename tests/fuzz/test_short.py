"""The first damaged files of fixed seeds; `python -m tests.fuzz` goes on for as long as it is told."""

from pathlib import Path

import pytest

from tests.fuzz.trial import failure, input_of, seeds
from tests.pipeline.worker import process, strict, worker

FILES = 250
"""For each seed; a few seconds."""


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_neither_crashes_nor_hangs_nor_leaks(seed: int, tmp_path: Path) -> None:
    engine = worker(tmp_path, strict())
    wrong = {}
    for number in range(FILES):
        chosen, data = input_of(f"{seed}:{number}")
        if found := failure(engine, tmp_path, chosen, data):
            wrong[f"--only {seed}:{number}"] = found

    assert wrong == {}


def test_without_damage_nothing_fails_and_half_of_the_files_are_published(tmp_path: Path) -> None:
    engine = worker(tmp_path, strict())
    ended = [process(engine, seed.data) for seed in seeds()]

    assert [failure(engine, tmp_path, seed, seed.data) for seed in seeds()] == [""] * len(seeds())
    assert sum(bool(each.data) for each in ended) * 2 >= len(ended)


def test_a_seed_makes_the_same_file_each_time() -> None:
    assert [input_of(f"7:{number}") for number in range(50)] == [input_of(f"7:{number}") for number in range(50)]
