"""What providers outside of this process share: ways that may carry a secret, libraries kept silent, one at a time."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

ONE_AT_A_TIME = threading.RLock()
"""Levels of loggers and the module of a token belong to the process; tasks of a flow are threads of it."""

_LOGGERS = ("botocore", "boto3", "hvac", "urllib3", "requests")
_SILENT = logging.CRITICAL + 1


def carries_secrets(address: str) -> bool:
    """Whether the way there is encrypted, or does not leave the machine, as that to an agent beside us."""
    try:
        parts = urlsplit(address)
        return parts.scheme == "https" or (parts.scheme == "http" and _loops_back(parts.hostname or ""))
    except ValueError:
        return False


def in_clear(address: str) -> bool:
    """Whether it is http: then no proxy may be asked to go there, for it would be told all in clear."""
    return urlsplit(address).scheme == "http"


def _loops_back(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Let no library log what it sends, whatever the site's logging is set to: botocore logs bodies when debugging.

    A logger with a level of its own does not ask its parents', so each is set. What others
    log meanwhile, in threads of theirs, goes where it went.
    """
    with ONE_AT_A_TIME:
        below = [name for name in logging.root.manager.loggerDict.copy() if name.partition(".")[0] in _LOGGERS]
        loggers = [logging.getLogger(name) for name in {*_LOGGERS, *below}]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(_SILENT)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
