"""Every key of params.yaml in docs/params.md, written from the models of its sections."""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages import sections

REFERENCE = Path("docs/params.md")
HEAD = """\
# params.yaml, key by key

`make deps` writes this file from the models that check params.yaml; their texts stand beside the
fields. A key without a default must be given. Unknown keys are errors, and stage `validate` checks
all sections before any work begins.
"""

# What a schema calls a type, in a reader's words.
KINDS = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
LIMITS = {
    "exclusiveMinimum": "> {}",
    "minimum": ">= {}",
    "exclusiveMaximum": "< {}",
    "maximum": "<= {}",
    "minLength": "at least {} characters",
    "minItems": "at least {}",
    "minProperties": "at least {}",
    "pattern": "matches `{}`",
}

Schema = Mapping[str, Any]


def main() -> None:
    """Write the file, or with --check only say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit 1 where the file is stale",
    )
    wants_check = parser.parse_args().check

    text = reference()
    if REFERENCE.is_file() and REFERENCE.read_text(encoding="utf-8") == text:
        return
    if wants_check:
        sys.stderr.write(f"{REFERENCE}: stale; run `make deps`\n")
        raise SystemExit(1)
    REFERENCE.write_text(text, encoding="utf-8")


def reference() -> str:
    """The text of docs/params.md."""
    return "\n".join([HEAD, *(_section(name) for name in sections.SECTIONS)])


def keys(name: str) -> list[tuple[str, Schema]]:
    """Every key of a section, those of nested models as `costs.escape_cost`, with its schema.

    `<name>` stands for what the user names: `classes.<name>.aliases`. A key that must be given has
    `required` in its schema.
    """
    schema = sections.model_of(name).model_json_schema()
    return list(_keys(schema, schema.get("$defs", {}), ""))


def _section(name: str) -> str:
    about = inspect.getdoc(sections.model_of(name)) or ""
    rows = [_row(key, schema) for key, schema in keys(name)]
    head = [f"## {name}", "", about.partition("\n\n")[0], ""]
    table = ["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join([*head, *table])


def _keys(
    schema: Schema, models: Mapping[str, Schema], prefix: str
) -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        is_required = name in schema.get("required", ())
        model = _model(field, models)
        described = {**(model or {}), **field}  # a model may say it for its field
        yield f"{prefix}{name}", {**described, "required": is_required}

        if model is not None:
            yield from _keys(model, models, f"{prefix}{name}.")
        values = _model(field.get("additionalProperties"), models)
        if values is not None:
            yield from _keys(values, models, f"{prefix}{name}.<name>.")


def _model(field: Any, models: Mapping[str, Schema]) -> Schema | None:
    """The model that a field holds; None where it holds plain values."""
    if not isinstance(field, dict) or "$ref" not in field:
        return None
    return models[field["$ref"].rpartition("/")[2]]


def _row(key: str, field: Schema) -> str:
    limits = _limits(field)
    value = f"{_kind(field)}, {limits}" if limits else _kind(field)
    meaning = " ".join(field.get("description", "").split())
    cells = [f"`{key}`", value, _default(field), meaning]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _kind(field: Schema) -> str:
    """What a value is.

    >>> _kind({"anyOf": [{"type": "number"}, {"type": "null"}]})
    'number or null'
    >>> _kind({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}]})
    '[integer, integer]'
    """
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(one) for one in field["anyOf"]))
    if "enum" in field:
        return " or ".join(f"`{one}`" for one in field["enum"])
    if "prefixItems" in field:
        return f"[{', '.join(_kind(one) for one in field['prefixItems'])}]"
    if field.get("type") == "array":
        return _list_of(field.get("items"))
    if "$ref" in field:
        return "mapping"
    return KINDS.get(field.get("type", ""), "anything")


def _list_of(items: Schema | None) -> str:
    return f"list of {_kind(items)}" if items else "[]"


def _limits(field: Schema) -> str:
    """The range of a value, or of each where it is several.

    >>> _limits({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
    '> 0, <= 1'
    """
    places = [field, *field.get("anyOf", []), *field.get("prefixItems", [])[:1]]
    found = [
        text.format(place[name])
        for place in places
        # of a fixed number of values their number is no limit
        if "prefixItems" not in place or "minItems" not in place
        for name, text in LIMITS.items()
        if name in place
    ]
    return ", ".join(found)


def _default(field: Schema) -> str:
    if field["required"]:
        return "must be given"
    if "$ref" in field:  # the rows of its own keys say it
        return ""
    return f"`{json.dumps(field.get('default', {}), ensure_ascii=False)}`"


if __name__ == "__main__":
    main()
