"""Every member of every archive ends once: as a Source with the right bytes, or as an outcome with a reason."""

import bz2
import gzip
import io
import lzma
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.datatypes import Outcome, Source, SourceOutcome
from governance.ingest import Limits, budget, sources
from tests.ingest import hostile

SMALL = Limits(max_member_bytes=1 << 20, max_total_bytes=4 << 20, ratio_floor=1 << 16, max_members=50, max_depth=4)
PACKERS = {
    "zip": hostile.zipped,
    "stored.zip": lambda members: hostile.zipped(members, method=zipfile.ZIP_STORED),
    "tar": hostile.tarred,
    "tar.gz": lambda members: hostile.tarred(members, mode="w:gz"),
    "tar.xz": lambda members: hostile.tarred(members, mode="w:xz"),
    "tar.bz2": lambda members: hostile.tarred(members, mode="w:bz2"),
}

one_file = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def opened(folder: Path, data: bytes, limits: Limits = SMALL) -> list[Source | SourceOutcome]:
    """What `sources` makes of one file; its name says nothing about its content."""
    path = folder / "a"
    path.write_bytes(data)
    return list(sources([path], limits))


def contents(entries: list[Source | SourceOutcome]) -> dict[str, bytes | str]:
    """Bytes of sources and reasons of outcomes, by what comes after the disk file's name."""
    return {
        (entry.name if isinstance(entry, Source) else entry.source).partition("!")[2]: (
            (entry.data or b"") if isinstance(entry, Source) else entry.reason
        )
        for entry in entries
    }


def told(entry: Source | SourceOutcome) -> tuple[str, bytes | str | None]:
    return (entry.name, entry.data) if isinstance(entry, Source) else (entry.source, entry.reason)


@st.composite
def nests(draw: st.DrawFn, *, depth: int = 3) -> tuple[bytes, dict[str, bytes]]:
    """An archive with files and archives in it, and every file planted in it, by its name."""
    kind = draw(st.sampled_from(sorted(PACKERS)))
    members: dict[str, bytes] = {}
    planted: dict[str, bytes] = {}
    for number in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(["", "folder/", "a/b/"])) + f"file{number}"
        if depth > 1 and draw(st.booleans()):
            members[name], inside = draw(nests(depth=depth - 1))
            planted |= {f"{name}!{deeper}": data for deeper, data in inside.items()}
        else:
            members[name] = planted[name] = b"." + draw(st.binary(max_size=40))
    return PACKERS[kind](members), planted


@one_file
@given(nest=nests())
def test_every_planted_file_comes_out_once_with_its_bytes(nest: tuple[bytes, dict[str, bytes]], tmp_path: Path) -> None:
    archive, planted = nest

    entries = opened(tmp_path, archive)

    assert len(entries) == len(planted)
    assert planted == contents(entries)


@one_file
@given(nest=nests(depth=2), seed=st.integers(0, 2**32))
def test_the_same_bytes_give_the_same_entries_in_the_same_order(
    nest: tuple[bytes, dict[str, bytes]], seed: int, tmp_path: Path
) -> None:
    """A run that was interrupted goes on by their positions."""
    archive, _ = nest
    chance = random.Random(seed)
    damaged = bytearray(archive)
    damaged[chance.randrange(len(damaged))] ^= chance.randrange(256)

    for data in (archive, bytes(damaged)):
        first, second = opened(tmp_path, data), opened(tmp_path, data)
        assert list(map(told, first)) == list(map(told, second))


@one_file
@given(nest=nests(depth=2), seed=st.integers(0, 2**32))
def test_damage_is_an_outcome_and_never_a_crash_or_another_content(
    nest: tuple[bytes, dict[str, bytes]], seed: int, tmp_path: Path
) -> None:
    archive, planted = nest
    chance = random.Random(seed)
    damaged = bytearray(archive)
    for _ in range(chance.randint(1, 6)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    del damaged[chance.choice([len(damaged), chance.randrange(1, len(damaged))]) :]

    entries = opened(tmp_path, bytes(damaged))

    assert entries
    assert all(entry.reason for entry in entries if isinstance(entry, SourceOutcome))
    if archive.startswith(b"PK"):  # a tar has no digest of its members: what is flipped in there is not seen
        whole = {name for name, data in contents(entries).items() if name in planted and isinstance(data, bytes)}
        assert all(contents(entries)[name] == planted[name] for name in whole if "!" not in name)


@pytest.mark.parametrize("kind", sorted(PACKERS))
def test_a_shortened_archive_says_so(kind: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    members = {f"m{number}": chance.randbytes(3000) for number in range(4)}
    archive = PACKERS[kind](members)

    for stop in range(600, len(archive) - 1, 971):
        entries = opened(tmp_path, archive[:stop])
        told = [entry for entry in entries if isinstance(entry, SourceOutcome)]
        if not (kind == "tar" and stop >= 4 * 3584 + 512):  # all that is missing is padding behind the end marker
            assert [entry.outcome for entry in told] == [Outcome.UNREADABLE]
        assert all(members[e.name.rpartition("!")[2]] == e.data for e in entries if isinstance(e, Source))


def test_a_truncated_zip_is_not_taken_for_the_one_inside_it(tmp_path: Path) -> None:
    inner = hostile.zipped({"same": b"inner"})
    outer = hostile.zipped({"same": b"outer", "nested": inner}, method=zipfile.ZIP_STORED)
    end_of_inner = outer.index(inner) + len(inner)

    for stop in range(end_of_inner, len(outer) - 1):
        assert contents(opened(tmp_path, outer[:stop])) == {"": "damaged archive"}


def test_what_follows_a_zip_is_not_lost_in_silence(tmp_path: Path) -> None:
    archive = hostile.zipped({"first": b"1"}) + b"something more"

    assert contents(opened(tmp_path, archive)) == {"first": b"1", "": "damaged archive"}


def test_members_before_the_end_of_a_truncated_tar_are_kept(tmp_path: Path) -> None:
    archive = hostile.tarred({"first": b"1" * 1000, "second": b"2" * 1000})

    entries = opened(tmp_path, archive[: 512 + 1024 + 512 + 100])

    assert contents(entries) == {"first": b"1" * 1000, "": "truncated archive"}


def test_a_tar_that_ends_between_two_members_is_truncated(tmp_path: Path) -> None:
    archive = hostile.tarred({"first": b"1" * 1000, "second": b"2" * 1000})

    assert contents(opened(tmp_path, archive[: 512 + 1024]))[""] == "truncated archive"


def test_a_second_tar_behind_the_first_is_not_lost_in_silence(tmp_path: Path) -> None:
    two = hostile.tarred({"first": b"1"}) + hostile.tarred({"second": b"2"})

    assert contents(opened(tmp_path, two)) == {"first": b"1", "": "damaged archive"}


def test_a_wrong_digest_at_the_end_of_a_compressed_tar_is_seen(tmp_path: Path) -> None:
    archive = bytearray(hostile.tarred({"first": b"1"}, mode="w:gz"))
    archive[-6] ^= 1

    assert contents(opened(tmp_path, bytes(archive)))[""] == "damaged archive"


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/root", "C:/x", "c:x", "..\\up", "\\\\host\\share\\x", "a/.."]
)
@pytest.mark.parametrize("pack", [hostile.zipped, hostile.tarred], ids=["zip", "tar"])
def test_a_name_that_leaves_the_archive_is_refused(name: str, pack: object, tmp_path: Path) -> None:
    archive = pack({"before": b"1", name: b"2", "after": b"3"})  # type: ignore[operator]

    entries = opened(tmp_path, archive)

    assert list(contents(entries).values()) == [b"1", "archive member path leaves the archive", b"3"]


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
def test_an_encrypted_member_is_refused_and_the_others_are_read(flags: int, tmp_path: Path) -> None:
    archive = hostile.flagged(hostile.zipped({"open": b"1", "locked": b"2"}), member="locked", flags=flags)

    assert contents(opened(tmp_path, archive)) == {"open": b"1", "locked": "encrypted archive member"}


def test_a_member_with_a_wrong_digest_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    archive = bytearray(hostile.zipped({"a": b"hello", "b": b"world"}, method=zipfile.ZIP_STORED))
    archive[archive.index(b"hello")] ^= 1

    assert contents(opened(tmp_path, bytes(archive))) == {"a": "damaged archive member", "b": b"world"}


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    archive = bytearray(hostile.zipped({"a": b"hello", "b": b"world"}))
    for magic, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        archive[archive.index(magic) + at] = 97

    assert contents(opened(tmp_path, bytes(archive)))["a"] == "archive member is compressed in an unknown way"


def test_a_kernel_shared_by_many_members_is_read_once(tmp_path: Path) -> None:
    entries = opened(tmp_path, hostile.overlapping(30, b"kernel"))

    assert [entry.data for entry in entries if isinstance(entry, Source)] == [b"kernel"]
    assert {"overlapping archive members"} == {entry.reason for entry in entries if isinstance(entry, SourceOutcome)}
    assert len(entries) == 30


def test_a_bomb_is_one_outcome_and_its_neighbours_are_read(tmp_path: Path) -> None:
    archive = hostile.zipped({"before": b"1", "bomb": bytes(900_000), "after": b"3"})

    found = contents(opened(tmp_path, archive))

    assert found == {"before": b"1", "bomb": "archive member is larger than the limits allow", "after": b"3"}


def test_a_bomb_that_lies_about_its_size_is_never_unpacked_beyond_what_it_says(tmp_path: Path) -> None:
    archive = bytearray(hostile.zipped({"bomb": bytes(900_000)}))
    for magic, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = archive.index(magic) + at
        archive[place : place + 4] = (100).to_bytes(4, "little")

    assert contents(opened(tmp_path, bytes(archive))) == {"bomb": "damaged archive member"}


@pytest.mark.parametrize("pack", ["zip", "tar", "tar.xz"])
def test_a_member_larger_than_memory_is_one_outcome_and_its_neighbours_are_read(
    pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: bytes) -> int:
            return hostile.no_memory() if data.startswith(b"large") else super().write(data)

    archive = PACKERS[pack]({"before": b"1", "large": b"large" * 100_000, "after": b"3"})
    (tmp_path / "a").write_bytes(archive)
    monkeypatch.setattr(budget, "BytesIO", Full)

    found = contents(list(sources([tmp_path / "a"])))

    assert found == {"before": b"1", "large": "larger than the memory that is left", "after": b"3"}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_a_compressed_bomb_is_one_outcome(compress: object, tmp_path: Path) -> None:
    bomb = compress(bytes(3 << 20))  # type: ignore[operator]
    tar = compress(hostile.tarred({"first": b"1", "bomb": bytes(3 << 20)}))  # type: ignore[operator]

    assert [e.outcome for e in opened(tmp_path, bomb) if isinstance(e, SourceOutcome)] == [Outcome.UNREADABLE]
    entries = opened(tmp_path, tar)
    assert [entry.data for entry in entries if isinstance(entry, Source)] == [b"1"]
    assert len(entries) in (2, 3)


def test_a_bomb_in_the_headers_of_a_tar_is_stopped(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    archive = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(24 << 20))

    entries = opened(tmp_path, archive, Limits(ratio_floor=1 << 40))

    assert contents(entries) == {"": "archive unpacks to more than the limits allow"}


def test_all_members_together_are_limited_and_the_rest_is_one_outcome(tmp_path: Path) -> None:
    chance = random.Random(1)
    archive = hostile.zipped({f"m{number}": chance.randbytes(900_000) for number in range(8)})

    entries = opened(tmp_path, archive)

    assert sum(isinstance(entry, Source) for entry in entries) == 4
    assert contents(entries)[""] == "archive unpacks to more than the limits allow"


def test_a_nested_archive_that_is_stopped_stops_the_file_on_disk(tmp_path: Path) -> None:
    bomb = {f"{number}": hostile.zipped({f"m{n}": bytes(60_000) for n in range(40)}) for number in range(40)}

    entries = opened(tmp_path, hostile.zipped(bomb), Limits(ratio_floor=1 << 20))

    assert isinstance(entries[-1], SourceOutcome)
    assert entries[-1].source == str(tmp_path / "a")
    assert len(entries) < 400


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_members_are_one_outcome(kind: str, tmp_path: Path) -> None:
    archive = PACKERS[kind]({f"m{number}": b"x" for number in range(60)})

    entries = opened(tmp_path, archive)

    assert contents(entries)[""] == "archive has too many members"
    assert (0 if kind == "zip" else 50) == sum(isinstance(entry, Source) for entry in entries)


def test_depth_is_limited(tmp_path: Path) -> None:
    data = b"deep"
    for _ in range(5):
        data = hostile.zipped({"n": data})

    assert contents(opened(tmp_path, data)) == {"n!n!n!n": "archives are nested too deep"}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(tarfile.SYMTYPE, id="symbolic link"),
        pytest.param(tarfile.LNKTYPE, id="hard link"),
        pytest.param(tarfile.FIFOTYPE, id="fifo"),
        pytest.param(tarfile.CHRTYPE, id="device"),
    ],
)
def test_what_is_no_file_in_a_tar_is_an_outcome(kind: bytes, tmp_path: Path) -> None:
    entries = opened(tmp_path, hostile.special(kind, target="first"))

    assert list(contents(entries).values()) == [b"firs", "archive member is not a regular file", b"thir"]


def test_a_link_in_a_zip_is_an_outcome(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")

    assert contents(opened(tmp_path, buffer.getvalue())) == {"link": "archive member is not a regular file"}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_folder_in_an_archive_is_no_source_and_alone_it_makes_it_empty(kind: str, tmp_path: Path) -> None:
    if kind == "zip":
        archive = hostile.zipped({"folder/": b""})
    else:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "tar.gz" else "w") as tar:  # type: ignore[call-overload]
            info = tarfile.TarInfo("folder")
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        archive = buffer.getvalue()

    (entry,) = opened(tmp_path, archive)

    assert isinstance(entry, SourceOutcome)
    assert (entry.outcome, entry.reason) == (Outcome.FILTERED, "empty archive")


def test_data_under_the_name_of_a_folder_is_not_lost_in_silence(tmp_path: Path) -> None:
    archive = hostile.zipped({"folder/": b"data"})

    assert contents(opened(tmp_path, archive)) == {"folder/": "archive member is not a regular file"}


def test_two_members_of_one_name_are_two_sources(tmp_path: Path) -> None:
    archive = hostile.zipped({"same": b"1", "sama": b"2"}).replace(b"sama", b"same")

    assert [entry.data for entry in opened(tmp_path, archive) if isinstance(entry, Source)] == [b"1", b"2"]


def test_a_compressed_file_is_an_archive_of_one_member_named_without_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm.gz"
    path.write_bytes(gzip.compress(b"content"))

    (entry,) = sources([path])

    assert isinstance(entry, Source)
    assert (f"{path}!x.dcm", b"content") == (entry.name, entry.data)


def test_undecodable_names_are_spelled_out(tmp_path: Path) -> None:
    archive = bytearray(hostile.tarred({"name": b"1"}))
    archive[0:4] = b"n\xffm\xfe"
    archive[148:156] = b"%06o\0 " % (sum(archive[:512]) - sum(archive[148:156]) + 8 * 32)

    (entry,) = opened(tmp_path, bytes(archive))

    assert isinstance(entry, Source)
    assert entry.name.endswith("!n\\xffm\\xfe")


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "really.dcm").write_bytes(hostile.zipped({"m": b"1"}))
    (tmp_path / "only.zip").write_bytes(b"some text")

    first, second = sources([tmp_path / "really.dcm", tmp_path / "only.zip"])

    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (b"1", tmp_path / "only.zip") == (first.data, second.path)


def test_a_dicom_file_is_no_archive_whatever_its_preamble_says(tmp_path: Path) -> None:
    data = hostile.zipped({"m": bytes(200)}, method=zipfile.ZIP_STORED)
    (entry,) = opened(tmp_path, data[:128] + b"DICM" + data[132:])

    assert isinstance(entry, Source)
    assert entry.path == tmp_path / "a"


@pytest.mark.parametrize("data", [b"", b"P", b"PK\3\4", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\5\6" + bytes(3)])
def test_stubs_end_once(data: bytes, tmp_path: Path) -> None:
    assert len(opened(tmp_path, data)) == 1


def test_a_file_that_went_away_is_an_outcome(tmp_path: Path) -> None:
    (entry,) = sources([tmp_path / "gone"])

    assert isinstance(entry, SourceOutcome)
    assert entry.reason == "file cannot be opened"
