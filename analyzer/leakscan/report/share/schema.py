"""JSON Schema of a result, made from its dataclasses so that the two cannot drift apart.

`tools/schemas.py` writes the files of docs/schema.
"""

from __future__ import annotations

import ast
import inspect
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from leakscan.analysis.capsule import CAPSULE_VERSION, Capsule
from leakscan.analysis.compare import Comparison, ComparisonByMode
from leakscan.analysis.cuts.whatif import WhatIf
from leakscan.analysis.gate import Gate
from leakscan.analysis.objects.views import Inspection
from leakscan.analysis.one_snapshot import TypePaths
from leakscan.analysis.results.findings import FINDINGS_VERSION, Findings
from leakscan.analysis.results.waits import Stuck
from leakscan.analysis.top import Top
from leakscan.report.share.json import FORMAT_PREFIX, FindingsByMode

Schema = dict[str, Any]  # Any: JSON values
_PLAIN: Final[dict[type, str]] = {int: "integer", float: "number", str: "string", bool: "boolean"}


def documents() -> dict[str, tuple[type, int]]:
    """Every kind of document: the dataclass it is made from, and its version."""
    return {
        "findings": (Findings, FINDINGS_VERSION),
        "findings-by-mode": (FindingsByMode, 1),
        "compare-by-mode": (ComparisonByMode, 1),
        "check": (Gate, 1),
        "compare": (Comparison, 1),
        "paths": (TypePaths, 1),
        "top": (Top, 1),
        "inspect": (Inspection, 1),
        "stuck": (Stuck, 1),
        "whatif": (WhatIf, 1),
        "capsule": (Capsule, CAPSULE_VERSION),
    }


def schema_text(kind: str) -> str:
    """The schema of a kind of document, as docs/schema holds it."""
    result, version = documents()[kind]
    return json.dumps(schema_of(result, kind=kind, version=version), indent=2, sort_keys=True) + "\n"


def schema_of(result: type, *, kind: str, version: int) -> Schema:
    """JSON Schema (2020-12) of the document that `leakscan.report.json.document` makes of `result`."""
    definitions: dict[str, Schema] = {}
    root = _object(result, definitions)
    root["properties"] |= {
        "format": {"const": FORMAT_PREFIX + kind},
        "version": {"const": version},
    }
    root["required"] = sorted({*root["required"], "format", "version"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"leakscan {kind}, version {version}",
        **root,
        "$defs": definitions,
    }


def _object(result: type, definitions: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(result)
    said = _field_docstrings(result)
    properties: dict[str, Schema] = {}
    for field in fields(result):
        schema = _schema(hints[field.name], definitions)
        properties[field.name] = schema | (
            {"description": said[field.name]} if field.name in said and "$ref" not in schema else {}
        )
    return {
        "type": "object",
        "description": inspect.getdoc(result) or "",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Schema]) -> Schema:  # Any: a type expression
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is type(None):
        return {"type": "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [_schema(argument, definitions) for argument in arguments]}
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [_schema(argument, definitions) for argument in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    raise TypeError(f"no JSON schema for {hint!r}")


def _field_docstrings(result: type) -> dict[str, str]:
    """The strings that follow the fields in the source of the class."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(result))).body[0]
    if not isinstance(tree, ast.ClassDef):
        return {}
    said = {}
    for statement, after in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            said[statement.target.id] = " ".join(after.value.value.split())
    return said
