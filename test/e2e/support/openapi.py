"""Holds every answer of the daemon against docs/openapi.yaml: its status is described, its type and body are what the description says."""

import pathlib
import re

import jsonschema
import yaml

PATH = pathlib.Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
DOCUMENT = yaml.safe_load(PATH.read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")


def resolved(node):
    """A node, or what its $ref names."""
    while isinstance(node, dict) and "$ref" in node:
        found = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations():
    """(method, path template, operation, parameters) of everything described that ends by itself (test_live.py asks for the stream)."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item and "text/event-stream" not in resolved(item[method]["responses"].get("200", {})).get("content", {}):
                yield method, path, item[method], [resolved(one) for one in item.get("parameters", []) + item[method].get("parameters", [])]


def template_of(path):
    """The described path that a real one belongs to: words before names; None when there is none."""
    found = [template for template in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.rstrip("/") or "/")]
    return min(found, key=lambda template: template.count("{"), default=None)


def validate(schema, value):
    """Raises AssertionError with a sentence when a value is not what a schema says."""
    checker = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]} if isinstance(schema, dict) else schema, format_checker=jsonschema.FormatChecker())
    errors = sorted(checker.iter_errors(value), key=lambda error: list(error.path))
    assert not errors, "; ".join(f"/{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in errors[:3])


def check_answer(reply):
    """Raises AssertionError when an answer (of requests) is none that the description knows."""
    method, path = reply.request.method.lower(), re.sub(r"^https?://[^/]+", "", reply.request.url).partition("?")[0]
    where = f"{method.upper()} {path}: {reply.status_code}"
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if kind == "application/problem+json" and method != "head":
        validate({"$ref": "#/components/schemas/Problem"}, reply.json())
        assert reply.json()["status"] == reply.status_code, where
    template = template_of(path)
    operation = template and DOCUMENT["paths"][template].get({"head": "get"}.get(method, method))
    if not operation:
        assert reply.status_code in (204, 404, 405) or reply.status_code >= 400, where
        return
    answers = operation["responses"]
    if str(reply.status_code) not in answers:
        # What the header alone decides may happen anywhere.
        assert reply.status_code in (400, 413, 415, 431, 503), f"{where} is not described"
        assert kind == "application/problem+json", where
        return
    answer = resolved(answers[str(reply.status_code)])
    content = answer.get("content", {})
    if method == "head" or not content:
        assert not reply.content, where
        return
    assert kind in content, f"{where}: {kind} is not described"
    for name, header in answer.get("headers", {}).items():
        assert name in reply.headers or name == "Link" or not resolved(header).get("required", name in ("ETag", "Location", "Retry-After", "WWW-Authenticate")), f"{where}: {name} is missing"
    if kind.endswith("json"):
        try:
            validate(content[kind]["schema"], reply.json())
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from None
