"""The base of everything that must not print."""


class Confidential:
    """Mixin: prints its type and nothing else."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
