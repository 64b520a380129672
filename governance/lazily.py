"""What a package offers, imported when somebody asks for it (PEP 562): a command waits for what it needs, and no more.

A package says it as ever, but for type checkers alone. What they read is what is imported, so that nothing has to be
said twice:

    if TYPE_CHECKING:
        from governance.release.publishing import publish
    else:
        __getattr__ = lazily.importing(__name__)
"""

import ast
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

_offered: dict[str, dict[str, tuple[str, str]]] = {}
"""Of each package the names, with the module that each is in and its name there."""


def importing(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package, which imports a name from where the package says that it is."""
    _offered[package] = dict(_said(package))
    sys.modules[package].__class__ = _Package

    def find(name: str) -> Any:
        if name not in _offered[package]:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, called = _offered[package][name]
        found = getattr(import_module(module), called)
        setattr(sys.modules[package], name, found)  # from now on it is there
        return found

    return find


def module(name: str) -> Any:
    """A module of somebody else, imported when something of it is used."""
    return _Later(name)


class _Package(ModuleType):
    """A package in which `plan` is what it offers by that name, and not its module `plan`, as Python would have it."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _offered[self.__name__]):
            super().__setattr__(name, value)


class _Later:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._name), name)
        setattr(self, name, found)  # from now on it is there
        return found


def _said(package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What stands below `if TYPE_CHECKING` in a package's own file."""
    source = Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for each in statement.body:
                if isinstance(each, ast.ImportFrom):
                    yield from ((name.asname or name.name, (str(each.module), name.name)) for name in each.names)
