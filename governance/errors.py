"""What can go wrong, sorted by what must happen next.

GovernanceError
├── Misconfigured    fix the command, the policy or the deployment   exit 2
├── Refused          quarantine the source                           exit 3
│   ├── Unreadable        not an image we know, or damaged
│   ├── Undecided         the policy does not cover it
│   ├── UnshiftableDate   not a complete DICOM date
│   └── Leak              something identifying was still there after writing
├── Tampered         bytes, signature or log do not agree             exit 3
└── Unavailable      try again later                                  exit 75

Messages name the attribute and the rule, never the value. `hint` says what to do next.
"""

RESTORE = "keep the workspace as it is for whoever looks into this, and work on in a backup"
"""The hint where somebody changed what this program wrote."""


class GovernanceError(Exception):
    """Anything this package raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; the hint must arrive too.
        return (_rebuild, (type(self), str(self), self.hint))


def _rebuild(kind: type[GovernanceError], message: str, hint: str) -> GovernanceError:
    return kind(message, hint=hint)


class Misconfigured(GovernanceError):
    """The command, the policy or the deployment is wrong; nothing was done."""

    exit_code = 2


class Refused(GovernanceError):
    """This source cannot be published as it is; it is quarantined with the message as reason."""

    exit_code = 3


class Unreadable(Refused):
    """Not an image this program knows, or damaged."""


class Undecided(Refused):
    """The policy does not cover something in this instance."""


class UnshiftableDate(Refused):
    """Not a complete DICOM date."""


class Leak(Refused):
    """Something identifying was still there after writing."""


class Tampered(GovernanceError):
    """Bytes, signature or log do not agree with each other."""

    exit_code = 3


class Unavailable(GovernanceError):
    """A resource is busy or away; the same command can succeed later."""

    exit_code = 75
