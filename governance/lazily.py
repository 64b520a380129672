"""What a package offers, imported when somebody asks for it (PEP 562): a command waits for what it needs, and no more.

A package says it as ever, but for types alone. What a type checker reads is what is imported, so that nothing has to be
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
from typing import Any


def importing(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package, which imports a name from where the package says that it is."""
    places: dict[str, tuple[str, str]] = {}

    def find(name: str) -> Any:
        if not places:
            places.update(_said(package))
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, called = places[name]
        found = getattr(import_module(module), called)
        setattr(sys.modules[package], name, found)  # from now on it is there
        return found

    return find


def _said(package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names below `if TYPE_CHECKING` of a package's own file, with the modules that they are in."""
    source = Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for each in statement.body:
                assert isinstance(each, ast.ImportFrom)
                assert each.module is not None
                for name in each.names:
                    yield name.asname or name.name, (each.module, name.name)
