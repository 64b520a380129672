"""What may cross into Prefect: ids and codes. Messages stay outside."""

import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from governance import keys, pipeline
from governance.errors import GovernanceError

P = ParamSpec("P")
R = TypeVar("R")


class FlowFailed(Exception):
    """A stage failed. Its text, which Prefect stores, is a code; what a person is told stays beside it."""

    def __init__(self, code: str, exit_code: int = 1, *, message: str = "", hint: str = "") -> None:
        super().__init__(code)
        self.exit_code = exit_code
        self.message = message or code
        self.hint = hint


def coded(function: Callable[P, R]) -> Callable[P, R]:
    """Replace every exception by `FlowFailed` with its type and exit code.

    The original is neither chained nor logged: Prefect would store its text.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FlowFailed:
            raise
        except GovernanceError as error:
            code = f"{type(error).__name__}, exit code {error.exit_code}"
            failed = FlowFailed(code, error.exit_code, message=str(error), hint=error.hint)
        except Exception as error:
            failed = FlowFailed(pipeline.where(error))
        raise failed

    return wrapped


def open_context(workspace: str) -> pipeline.Context:
    """Open a workspace as a flow does: the passphrase comes from the environment."""
    context = pipeline.open_context(Path(workspace), passphrase=keys.read_passphrase(os.environ))
    for note in context.notes:  # sentences of our own, without values
        logging.getLogger("flows").warning(note)
    return context
