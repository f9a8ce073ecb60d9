"""The OpenAPI description of the service; the schemas come from the answers' models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from inspection.plant import NAME
from inspection.runtime.bundle import Card
from serving.answers import LotAnswer, PartAnswer
from serving.feedback import FeedbackAnswer, FeedbackRequest, TraceAnswer
from serving.forms import FIELD, MAX_FILE_BYTES, MAX_NAME_CHARACTERS, MAX_VIEWS
from serving.plant.answers import LinesAnswer
from serving.uploads import MAX_BODY_BYTES

Json = dict[str, Any]
# Of the JSON that programs read. Keys may be added; where one is renamed, removed or changes its
# type, this is the next number.
API_VERSION = "1"

WHY = {
    "400": "no view, an unknown field or parameter, a broken body",
    "401": "the token is missing or wrong",
    "403": "sent by a page of another site, or under a name that is not this service's",
    "404": "no part or request of this id was inspected, or there is no line of this name",
    "408": "the body came too slowly",
    "413": "too many views, bytes or pixels",
    "415": "another content type than the one described",
    "422": "a file that is no whole image, or a body that is not as described",
    "429": "too much is being inspected",
    "503": "the verdict log cannot be used, or no release of the line serves",
    "504": "inspecting took too long",
}
OF_INSPECT = (
    "400",
    "401",
    "403",
    "404",
    "408",
    "413",
    "415",
    "422",
    "429",
    "503",
    "504",
)
OF_FEEDBACK = ("401", "403", "404", "408", "413", "415", "422", "503")
ERROR: Json = {
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
LINE: Json = {
    "name": "line",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"},
    "description": "as /lines names it; without it the line in the root is asked",
}
RETRY_AFTER: Json = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "seconds to wait"}
}


def specification() -> Json:
    """The description as a JSON value."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inspection of parts", "version": API_VERSION},
        "paths": {
            **_of_a_line(),
            "/lines": {"get": _lines()},
            **{
                f"/lines/{{line}}{path}": _named(described)
                for path, described in _of_a_line().items()
            },
        },
        "components": {
            "schemas": {**_schemas(), "Error": ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _of_a_line() -> Json:
    """The paths that each line has."""
    return {
        "/inspect": {"post": _inspect()},
        "/feedback": {"post": _feedback()},
        "/parts/{part_id}": {"get": _part()},
        "/model": {"get": _model()},
    }


def _named(described: Json) -> Json:
    """What a path does, for the line that it names."""
    return {
        method: {**one, "parameters": [LINE, *one.get("parameters", [])]}
        for method, one in described.items()
    }


def _lines() -> Json:
    return {
        "summary": "The lines, each with its champion and whether it is ready",
        "responses": {
            "200": _answer("The lines, that in the root first", "LinesAnswer"),
            **_refusals(["401"]),
        },
    }


def _schemas() -> Json:
    answers: tuple[type[BaseModel], ...] = (
        PartAnswer,
        LotAnswer,
        FeedbackAnswer,
        TraceAnswer,
        LinesAnswer,
    )
    _, written = models_json_schema(
        [(model, "serialization") for model in answers],
        ref_template="#/components/schemas/{model}",
    )
    _, read = models_json_schema(
        [(FeedbackRequest, "validation")], ref_template="#/components/schemas/{model}"
    )
    return {**written["$defs"], **read["$defs"]}


def _inspect() -> Json:
    one, several = _ref("PartAnswer"), _ref("LotAnswer")
    answer = {"schema": {"oneOf": [one, several]}}
    return {
        "summary": "Inspect the views of one part, or several parts",
        "parameters": [
            _flag("heatmap", "send pictures of the heat along"),
            _flag("lot", "several parts: each further part_id begins the next"),
        ],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": _form()}},
        },
        "responses": {
            "200": {
                "description": "The verdict",
                "content": {"application/json": answer},
            },
            **_refusals(OF_INSPECT),
        },
    }


def _form() -> Json:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}
    files = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_VIEWS,
        "items": {"type": "string", "format": "binary"},
        "description": f"JPEG, PNG, BMP or TIFF files of up to {MAX_FILE_BYTES} bytes, "
        f"{MAX_BODY_BYTES} in all",
    }
    return {
        "type": "object",
        "required": [FIELD],
        "properties": {
            FIELD: files,
            "part_id": text,
            "camera": text,
            "taken_at": {"type": "string", "format": "date-time"},
        },
        "additionalProperties": False,
    }


def _feedback() -> Json:
    body = {"application/json": {"schema": _ref("FeedbackRequest")}}
    return {
        "summary": "Log what a part really was",
        "requestBody": {"required": True, "content": body},
        "responses": {
            "201": _answer("Logged", "FeedbackAnswer"),
            **_refusals(OF_FEEDBACK),
        },
    }


def _part() -> Json:
    part_id = {
        "name": "part_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }
    return {
        "summary": "Every verdict on a part, and what people said of it",
        "parameters": [part_id],
        "responses": {
            "200": _answer("The trace", "TraceAnswer"),
            **_refusals(("401", "404", "503")),
        },
    }


def _model() -> Json:
    return {
        "summary": "The card of the model that serves",
        "responses": {
            "200": {"description": Card.__doc__ or ""},
            **_refusals(("401", "404", "503")),
        },
    }


def _flag(name: str, description: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": description,
    }


def _refusals(statuses: tuple[str, ...] | list[str]) -> Json:
    described = {status: _answer(WHY[status], "Error") for status in statuses}
    if "429" in described:
        described["429"]["headers"] = RETRY_AFTER
    return described


def _answer(description: str, schema: str) -> Json:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": description, "content": content}


def _ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}
