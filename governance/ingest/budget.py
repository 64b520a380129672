"""How far an archive is believed: limits, and what the archives inside one disk file have used up."""

from dataclasses import dataclass
from io import BytesIO
from typing import IO

from governance.datatypes import Outcome, SourceOutcome

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an archive stops being believed."""

    max_member_bytes: int = 4 << 30
    """One member, unpacked; it is held in memory."""
    max_total_bytes: int = 1 << 40
    """Everything in one file on disk, unpacked; what lies in nested archives counts at each level."""
    max_ratio: int = 200
    """Unpacked over packed size, of a member and of the whole."""
    ratio_floor: int = 64 << 20
    """Up to this size a ratio is not judged: an empty mask shrinks a thousandfold."""
    max_members: int = 1_000_000
    max_depth: int = 4
    """Archives in archives; the one on disk is the first."""


DEFAULT = Limits()


class Stopped(Exception):
    """The rest of the archive on disk is not read; the text is the reason."""


class TooLarge(Exception):
    """This member is not read; the text is the reason."""


@dataclass(slots=True)
class Budget:
    """What the archives inside one disk file of `packed` bytes have used up."""

    limits: Limits
    packed: int
    unpacked: int = 0
    members: int = 0

    def admit(self, count: int = 1) -> None:
        """Count members before anything of them is read.

        Raises:
            Stopped: there are too many.
        """
        self.members += count
        if self.members > self.limits.max_members:
            raise Stopped("archive has too many members")

    def grow(self, size: int) -> None:
        """Count unpacked bytes.

        Raises:
            Stopped: all of it together is too much.
        """
        self.unpacked += size
        if self.unpacked > min(self.limits.max_total_bytes, self.believable(self.packed)):
            raise Stopped("archive unpacks to more than the limits allow")

    def believable(self, packed: int) -> int:
        """What `packed` bytes may unpack to."""
        return max(self.limits.ratio_floor, packed * self.limits.max_ratio)

    def read(self, stream: IO[bytes], *, declared: int | None = None, packed: int | None = None) -> bytes:
        """One member whole. `declared` and `packed` are its sizes as the archive tells them.

        Raises:
            TooLarge: it is, or says that it is, larger than a member may be, or than memory.
            Stopped: with it, the archive is too large.
        """
        most = min(self.limits.max_member_bytes, self.believable(self.packed if packed is None else packed))
        if declared is not None and declared > most:
            raise TooLarge(TOO_LARGE)
        data = self._whole(stream, most)
        if data is None:  # raised here: the error of the system holds what has been read
            raise TooLarge(NO_MEMORY)
        return data

    def _whole(self, stream: IO[bytes], most: int) -> bytes | None:
        """Everything in `stream`; None if memory does not hold it."""
        whole = BytesIO()  # it grows in place; parts to be joined would need the memory twice
        try:
            while chunk := stream.read(_CHUNK):
                self.grow(len(chunk))
                if whole.tell() + len(chunk) > most:
                    raise TooLarge(TOO_LARGE)
                whole.write(chunk)
            return whole.getvalue()
        except MemoryError:
            return None


def unreadable(name: str, reason: str) -> SourceOutcome:
    """The outcome of what cannot be read."""
    return SourceOutcome(printable(name), Outcome.UNREADABLE, reason)


def printable(name: str) -> str:
    """`name` with undecodable bytes spelled out, so that it can be stored and shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def escapes(member: str) -> bool:
    """Whether a member's name would lead out of the folder that somebody unpacks it into.

    Backslashes are read as separators, as Windows does; alone they are no escape.
    """
    parts = member.replace("\\", "/").split("/")
    drive = member[:1].isalpha() and member[1:2] == ":"
    return not parts[0] or ".." in parts or drive or "\0" in member


ESCAPES = "archive member path leaves the archive"
NOT_A_FILE = "archive member is not a regular file"
TOO_LARGE = "archive member is larger than the limits allow"
NO_MEMORY = "larger than the memory that is left"
