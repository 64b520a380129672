"""Where a policy was written, so that errors can point into it."""

import yaml

from governance.errors import Misconfigured

Place = tuple[str | int, ...]


class Origin:
    """Where a policy was written, so that an error can point into it."""

    def __init__(self, name: str, root: yaml.Node | None) -> None:
        self.name = name
        self._root = root

    def wrong(self, place: Place, what: str, *, hint: str) -> Misconfigured:
        """An error at `place`, such as ("options", 2, "because")."""
        dotted = ""
        for part in place:
            dotted += f"[{part}]" if isinstance(part, int) else f".{part}" if dotted else str(part)
        line = self._line(place)
        return Misconfigured(f"{self.name}:{line}: {dotted or 'the policy'} {what}", hint=hint)

    def _line(self, place: Place) -> int:
        node, line = self._root, 1
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line
