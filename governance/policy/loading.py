"""From the name or the file of a policy to its rules, with what it extends."""

from collections.abc import Callable
from pathlib import Path

from governance.errors import Misconfigured
from governance.policy import layers, reading, recipes
from governance.policy.layers import Layer
from governance.policy.origin import Origin
from governance.policy.rules import Rules
from governance.policy.schema import Policy
from governance.policy.shipped import named

Complaint = Callable[[str, str], Misconfigured]
"""Makes the error of an `extends`: what is wrong with it, and what to do."""


def load(name_or_path: str) -> Rules:
    """Load a profile by its name, or a policy by its YAML file, or a recipe of the `deid` package.

    Raises:
        Misconfigured: there is no such policy, or it is wrong; the message says where.
    """
    path = named().get(name_or_path, Path(name_or_path))
    if not path.is_file():
        known = ", ".join(sorted(named())) or "none found"
        raise Misconfigured("there is no such policy", hint=f"shipped ones: {known}; or give a YAML file")
    return Rules(_read(path, ()))


def loads(text: str, *, name: str = "policy.yaml") -> Rules:
    """Compile a policy from its text. It can extend profiles; there are no files beside a text."""
    policy, origin = reading.parse(text, name=name)
    return Rules(_with_bases(policy, origin, None, ()))


def _read(path: Path, above: tuple[Path, ...]) -> list[Layer]:
    """The layers of a file, the base first. above: the files that extend it."""
    text = reading.text_of(path)
    above = (*above, path.resolve())
    if not recipes.is_recipe(text):
        policy, origin = reading.parse(text, name=path.name)
        return _with_bases(policy, origin, path.parent, above)
    recipe = recipes.parse(text, name=path.name)
    base = _base(recipe.extends, recipe.wrong_base, path.parent, above)
    return [*base, recipe.over(Rules(base))]


def _with_bases(policy: Policy, origin: Origin, folder: Path | None, above: tuple[Path, ...]) -> list[Layer]:
    own = layers.single(policy, origin)
    if policy.extends is None:
        return [own]
    return [*_base(policy.extends, lambda what, hint: origin.wrong(("extends",), what, hint=hint), folder, above), own]


def _base(name: str, wrong: Complaint, folder: Path | None, above: tuple[Path, ...]) -> list[Layer]:
    """The layers of what a policy extends: a profile, or a file beside it."""
    path = named().get(name)
    if path is None:
        known = ", ".join(sorted(named()))
        if folder is None or Path(name).name != name:
            raise wrong("is neither a profile nor the name of a file beside this one", f"profiles: {known}")
        path = folder / name
        if not path.is_file():
            raise wrong("is not there", f"give a file in the same folder, or a profile: {known}")
    if path.resolve() in above:
        raise wrong("leads back to this policy", "a policy cannot extend itself; extend a profile")
    return _read(path, above)
