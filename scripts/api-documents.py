#!/usr/bin/python3
"""Turns the description of the HTTP API into what the daemon serves of it.

usage: api-documents.py OPENAPI.yaml DOCUMENTS.cpp

Writes the file as it is, as JSON, and as one page of HTML without scripts, into C++ that implements http/documents.hpp.
"""

import base64
import hashlib
import html
import json
import pathlib
import sys

import yaml

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#1b1f24;background:#fff}
h2{border-bottom:2px solid #ccd;margin-top:3rem}section{border:1px solid #ccd;border-radius:6px;margin:1rem 0;padding:.2rem 1rem}
h3{font:600 1rem ui-monospace,monospace;overflow-wrap:anywhere}.m{display:inline-block;min-width:4.5rem;color:#0a4}
code,pre{font:.9rem ui-monospace,monospace;background:#f4f5f7}pre{padding:.6rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #dde;text-align:left;padding:.3rem .5rem;vertical-align:top}
a{color:#0549a0}nav ul{columns:2;padding-left:1rem}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8bf}code,pre{background:#222}.m{color:#6d9}}
"""
METHODS = ("get", "post", "put", "patch", "delete")


def resolve(document, node):
    """What a node stands for: itself, or what its $ref names."""
    while isinstance(node, dict) and "$ref" in node:
        found = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def named(node):
    """The last word of a $ref, or of the items' one."""
    if "$ref" in node:
        return node["$ref"].rsplit("/", 1)[1]
    if node.get("type") == "array":
        return "list of " + named(node["items"])
    kind = node.get("type", "any")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    if "enum" in node:
        kind += ": " + ", ".join(str(word) for word in node["enum"])
    return kind + (f" ({node['format']})" if "format" in node else "")


def table(rows):
    cells = "".join("<tr><td><code>%s</code></td><td>%s</td><td>%s</td></tr>" % tuple(row) for row in rows)
    return f"<table>{cells}</table>" if rows else ""


def fields(document, schema):
    schema = resolve(document, schema)
    rows = []
    for part in schema.get("allOf", []):
        rows += fields(document, part)
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        note = html.escape(resolve(document, field).get("description", ""))
        rows.append((html.escape(name), html.escape(named(field)) + (", required" if name in required else ""), note))
    return rows


def operation(document, path, method, shared, op):
    parts = [f'<section id="{op["operationId"]}"><h3><span class="m">{method.upper()}</span> {html.escape(path)}</h3>', f"<p>{html.escape(op['summary'])}</p>"]
    if "description" in op:
        parts.append(f"<p>{html.escape(op['description'])}</p>")
    scope = op.get("x-scope")
    parts.append("<p>Open to everybody.</p>" if not scope else "<p>Any credential.</p>" if scope == "*" else f"<p>Scope <code>{scope}</code>.</p>")
    given = [resolve(document, one) for one in shared + op.get("parameters", [])]
    rows = [(html.escape(one["name"]), f"{one['in']}, {html.escape(named(one['schema']))}" + (", required" if one.get("required") else ""), html.escape(one.get("description", ""))) for one in given]
    parts.append(table(rows))
    for kind, media in resolve(document, op.get("requestBody", {})).get("content", {}).items():
        parts.append(f"<p>Body <code>{kind}</code>: {html.escape(named(media['schema']))}</p>" + table(fields(document, media["schema"])))
    answers = []
    for status, answer in op["responses"].items():
        answer = resolve(document, answer)
        kinds = ", ".join(f"{kind}: {named(media['schema'])}" for kind, media in answer.get("content", {}).items())
        answers.append((status, html.escape(answer["description"]), html.escape(kinds)))
    return "".join(parts) + table(answers) + "</section>"


def page(document):
    """The whole description as HTML."""
    by_tag = {tag["name"]: [] for tag in document["tags"]}
    contents = {tag: [] for tag in by_tag}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                op = item[method]
                by_tag[op["tags"][0]].append(operation(document, path, method, item.get("parameters", []), op))
                contents[op["tags"][0]].append(f'<li><a href="#{op["operationId"]}">{method.upper()} {html.escape(path)}</a></li>')
    body = [f"<h1>{html.escape(document['info']['title'])} {html.escape(document['info']['version'])}</h1><p>{html.escape(document['info']['description'])}</p>",
            '<p>For machines: <a href="/api/openapi.json">openapi.json</a>, <a href="/api/openapi.yaml">openapi.yaml</a>.</p><nav>']
    body += [f"<h4>{html.escape(tag)}</h4><ul>{''.join(items)}</ul>" for tag, items in contents.items()]
    body.append("</nav>")
    for tag in document["tags"]:
        body.append(f"<h2>{html.escape(tag['name'])}</h2><p>{html.escape(tag['description'])}</p>" + "".join(by_tag[tag["name"]]))
    body.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        body.append(f'<section><h3>{name}</h3><p>{html.escape(schema.get("description", ""))}</p>{table(fields(document, schema))}</section>')
    title = html.escape(document["info"]["title"])
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head><body>{"".join(body)}</body></html>'


def literal(text):
    """A C++ string; in pieces, because compilers bound the length of one."""
    pieces = [text[at:at + 8000] for at in range(0, len(text), 8000)]
    return "\n    ".join(f'R"API~({piece})API~"' for piece in pieces)


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    text = source.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    texts = {
        "openapi_yaml": text,
        "openapi_json": json.dumps(document, ensure_ascii=False, default=str),
        "docs_page": page(document),
        "docs_policy": f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    }
    lines = ["// Made by scripts/api-documents.py out of docs/openapi.yaml.", '#include "http/documents.hpp"', "", "namespace radscheduler::sidecar::http::documents {"]
    for name, value in texts.items():
        lines += [f"const std::string_view {name} =", f"    {literal(value)};"]
    target.write_text("\n".join(lines) + "\n} // namespace radscheduler::sidecar::http::documents\n", encoding="utf-8")


if __name__ == "__main__":
    main()
