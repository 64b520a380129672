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

log = logging.getLogger("flows")


class FlowFailed(Exception):
    """A stage failed; the code says which way, the outcomes say why."""

    def __init__(self, code: str, exit_code: int = 1) -> None:
        super().__init__(code)
        self.exit_code = exit_code


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
            failed = FlowFailed(f"{type(error).__name__}, exit code {error.exit_code}", error.exit_code)
        except Exception as error:
            failed = FlowFailed(pipeline.where(error))
        raise failed

    return wrapped


def open_context(workspace: str) -> pipeline.Context:
    """Open a workspace as a flow does: the passphrase comes from the environment."""
    return pipeline.open_context(Path(workspace), passphrase=keys.read_passphrase(os.environ))
