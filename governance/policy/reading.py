"""Read a policy file, and say where it is wrong: the file, the line and the place, never more."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from governance.errors import Misconfigured
from governance.policy import checks
from governance.policy.origin import Origin, Place
from governance.policy.schema import Policy


def text_of(path: Path) -> str:
    """The text of a policy file; raises Misconfigured where it has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        raise Misconfigured(f"{path.name}: cannot be read as text", hint="give the name or the YAML file of a policy")
    return text


def parse(text: str, *, name: str) -> tuple[Policy, Origin]:
    """Read a policy from its text; `name` is what errors call it."""
    problem = ""
    root = document = None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            problem = f"{name}: uses a YAML alias, which a reader has to resolve"
        document = None if problem else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = f"{name}:{line}: is not YAML"
    except (yaml.YAMLError, ValueError):
        problem = f"{name}: is not YAML"
    if problem:
        raise Misconfigured(problem, hint="mind the indentation, quote texts with a colon or a comma, write lists out")
    origin = Origin(name, root)
    _refuse_repeated_keys(root, (), origin)
    if not isinstance(document, dict):
        raise origin.wrong((), "is not a mapping", hint="policies/README.md shows the keys of a policy")
    return _validate(document, origin), origin


def _validate(document: dict[str, object], origin: Origin) -> Policy:
    policy = failure = None
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        failure = error.errors(include_url=False, include_input=False)[0]
    if policy is None:
        kind, place = ("invalid", ()) if failure is None else (failure["type"], failure["loc"])
        what, hint = _say(kind, str(failure.get("ctx", {}).get("expected", "")) if failure else "")
        raise origin.wrong(place, what, hint=hint)
    checks.check(policy, origin)
    return policy


def _say(kind: str, expected: str) -> tuple[str, str]:
    """What is wrong, and what to do, for each kind of fault that a validator reports."""
    if kind == "missing":
        return "is missing", "every statement of a policy has its keys and a because"
    if kind == "extra_forbidden":
        return "is not a key of a policy", "remove it, or look for a typing error; policies/README.md has the keys"
    if kind == "enum":
        return "is none of the words known here", f"use one of {expected}"
    if kind in ("string_too_short", "too_short"):
        return "is empty", "fill it in, or remove the whole entry"
    if kind == "string_pattern_mismatch":
        hint = "names are lower-case words with hyphens, VRs two capitals, groups four hexadecimal digits in quotes"
        return "is not written as it must be", hint
    if kind.startswith("string"):
        return "is not a text of the right length", "write a text, in quotes if it looks like a number"
    return "is not of the right kind", "policies/README.md shows an example of each key"


def _refuse_repeated_keys(node: yaml.Node | None, place: Place, origin: Origin) -> None:
    """YAML lets the second of two equal keys win in silence; a policy must not."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise origin.wrong(place, "has a key that is not a word", hint="keys are single words")
            if key.value in seen:
                raise origin.wrong((*place, str(key.value)), "is given twice", hint="keep one of the two")
            seen.add(key.value)
            _refuse_repeated_keys(value, (*place, str(key.value)), origin)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_repeated_keys(value, (*place, index), origin)
