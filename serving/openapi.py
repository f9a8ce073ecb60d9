"""The OpenAPI description of the service; the schemas come from the answers' models."""

from typing import Any

from inspection.runtime.bundle import Card
from serving.answers import PartAnswer
from serving.uploads import FIELD, MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_VIEWS

REFUSALS = {
    "400": "no view, an unknown field or parameter, a broken body",
    "401": "the token is missing or wrong",
    "408": "the body came too slowly",
    "413": "too many views, bytes or pixels",
    "415": "not multipart/form-data",
    "422": "a file that is no whole image",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}


def specification() -> dict[str, Any]:
    """The description as a JSON value."""
    template = "#/components/schemas/{model}"
    part = PartAnswer.model_json_schema(ref_template=template, mode="serialization")
    schemas = part.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inspection of parts", "version": "1"},
        "paths": {
            "/inspect": {"post": _inspect()},
            "/model": {
                "get": _get("The card of the model that serves", Card.__doc__ or "")
            },
        },
        "components": {
            "schemas": {**schemas, "PartAnswer": part, "Error": ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _inspect() -> dict[str, Any]:
    files = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_VIEWS,
        "items": {"type": "string", "format": "binary"},
        "description": f"JPEG, PNG, BMP or TIFF files of up to {MAX_FILE_BYTES} bytes, "
        f"{MAX_BODY_BYTES} in all",
    }
    form = {
        "type": "object",
        "required": [FIELD],
        "properties": {FIELD: files},
        "additionalProperties": False,
    }
    heatmap = {
        "name": "heatmap",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": "send pictures of the heat along",
    }
    return {
        "summary": "Inspect the views of one part",
        "parameters": [heatmap],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": form}},
        },
        "responses": {"200": _answer("The verdict", "PartAnswer")}
        | {status: _answer(what, "Error") for status, what in REFUSALS.items()},
    }


def _get(summary: str, description: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": description},
            "401": _answer("No token", "Error"),
        },
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": content}}
