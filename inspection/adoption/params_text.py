"""Sections of a YAML file replaced as text: all other lines stay as they are, comments included."""

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

# characters of a mapping as Python prints it that fit on a line behind a key
# no outcome: a longer one is written over several lines, and read as the same
MAX_FLOW_LENGTH = 56


def as_block(name: str, content: Mapping[str, Any], *, comment: str) -> str:
    """A section as YAML text, short lists and mappings on one line, with a comment at its head."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    yaml.allow_unicode = True
    out = StringIO()
    yaml.dump({name: _styled(dict(content), depth=1)}, out)
    head, _, body = out.getvalue().partition("\n")
    return f"{head}  # {comment}\n{body}"


def with_section(text: str, name: str, block: str) -> str:
    """The text with the top-level section `name` replaced by `block`, or with it at the end.

    >>> with_section("a:\\n  x: 1\\n\\n# about b\\nb: 2\\n", "a", "a: 3\\n")
    'a: 3\\n\\n# about b\\nb: 2\\n'
    """
    lines = text.splitlines(keepends=True)
    heads = [i for i, line in enumerate(lines) if line.startswith(f"{name}:")]
    if not heads:
        return text.rstrip("\n") + "\n\n" + block

    start = heads[0]
    end = start + 1
    while end < len(lines) and not re.match(r"[^\s#]", lines[end]):
        end += 1

    # what stands right above the next section is about that one
    while end > start + 1 and re.match(r"\s*$|#", lines[end - 1]):
        end -= 1

    before = "".join(lines[:start])
    after = "".join(lines[end:])
    return before + block + after


def with_value(text: str, section: str, key: str, value: str) -> str:
    """The text with the plain value of `key` within a section replaced; as it is without one."""
    # from the head of the section over its indented lines, comments and blank lines to the key
    above = rf"^{section}:.*\n(?:[ #].*\n|\n)*?[ ]+{key}: "
    # a word, a text in either kind of quotes, or a mapping or a list on one line
    plain = r"[\w.\-]+|'[^'\n]*'|\"[^\"\n]*\"|\{[^}\n]*\}|\[[^\]\n]*\]"
    pattern = rf"(?m)({above})(?:{plain})"
    return re.sub(pattern, lambda match: match[1] + value, text, count=1)


def _styled(value: Any, *, depth: int) -> Any:
    """Mappings and lists in flow style where they fit on one line; expressions in quotes."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    if isinstance(value, Mapping):
        styled = {key: _styled(one, depth=depth + 1) for key, one in value.items()}
        content = CommentedMap(styled)
        is_flat = not any(isinstance(one, Mapping) for one in value.values())
        if depth > 1 and is_flat and len(str(value)) < MAX_FLOW_LENGTH:
            content.fa.set_flow_style()
        return content
    if isinstance(value, list | tuple):
        items = CommentedSeq(list(value))
        items.fa.set_flow_style()
        return items
    quoted = isinstance(value, str) and re.search(r"[^\w./-]", value)
    return SingleQuotedScalarString(value) if quoted else value
