"""docs/openapi.yaml: linted, made a client of, and asked of the daemon with whatever its schemas allow and a good deal they do not."""

import json
import os
import random
import shutil
import subprocess
import uuid

import pytest
import requests
from support.openapi import PATH, operations, resolved
from support.services import REPO, Daemon, Database

SOURCES = REPO / "test" / "openapi"
PLACE = REPO / "build" / "openapi"
ROUNDS = int(os.environ.get("RADSCHED_API_FUZZ_ROUNDS", "12"))  # requests for each operation; check-long asks for more


@pytest.fixture(scope="module")
def node():
    """The folder with the npm packages, installed at first use."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.iterdir():
        shutil.copy(source, PLACE / source.name)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm could not install the packages: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return PLACE


@pytest.fixture(scope="module")
def api(cluster):
    database = Database.create(cluster, "openapi")
    database.execute("UPDATE radscheduler.site SET timezone = 'UTC'")
    for code in ("OMR1", "OCT1"):
        database.execute("SELECT radscheduler.add_resource(%s, %s, 'equipment', %s)", code, code, code[1:3])
    daemon = Daemon(database.url, RADSCHED_RATE_LIMIT="0")
    daemon.db = database
    yield daemon
    daemon.stop()
    database.close()


def run(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


def test_the_linter_has_nothing_to_say(node):
    done = run(node, "node", "lint.mjs", str(PATH))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_generated_client_compiles_and_works(node, api):
    for command in (("npx", "openapi-typescript", str(PATH), "-o", "api.ts"),
                    ("npx", "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", "--skipLibCheck", "client.ts"),
                    ("node", "client.js", api.base)):
        done = run(node, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == '{"notes":["by a typed client"],"late":"precondition_failed"}'


class Maker:
    """Values for schemas: mostly what they allow, now and then what they do not."""

    WORDS = ("MR", "CT", "OMR1", "routine", "SCHEDULED", "2031-03-04", "2031-03-04T10:00:00Z", "2031-03-30T02:30", "24:00", "x", "", " ", "é漢\U0001f600", "a" * 3000,
             "'; DROP TABLE x; --", "%00", "\\u0000", "\u0000", "\r\nX-Evil: 1", "-1", "1e400", "NaN", "null", "{}", "W10", "WzEsMl0", "infinity", "today", "10 minutes")

    def __init__(self, seed):
        self.random = random.Random(seed)

    def any(self, depth=0):
        kind = self.random.randrange(8 if depth < 3 else 6)
        if kind == 6:
            return [self.any(depth + 1) for _ in range(self.random.randrange(4))]
        if kind == 7:
            return {self.random.choice(self.WORDS): self.any(depth + 1) for _ in range(self.random.randrange(4))}
        return (None, True, self.random.choice(self.WORDS), self.random.choice((0, 1, -1, 7, 30, 2**31, 2**63, 10**30)), self.random.random() * 1e9, self.random.choice(self.WORDS))[kind]

    def value(self, schema, wild=0.1):
        schema = resolved(schema)
        if self.random.random() < wild:
            return self.any()
        for word in ("oneOf", "anyOf"):
            if word in schema:
                return self.value(self.random.choice(schema[word]), wild)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        kind = schema.get("type", "any")
        kind = self.random.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            fields = schema.get("properties", {})
            kept = [name for name in fields if name in schema.get("required", []) or self.random.random() < 0.5]
            made = {name: self.value(fields[name], wild) for name in kept if self.random.random() >= wild / 3}
            return {**made, "unknown": 1} if self.random.random() < wild / 3 else made
        if kind == "array":
            return [self.value(schema.get("items", {}), wild) for _ in range(self.random.randrange(4))]
        if kind == "integer":
            return self.random.randint(schema.get("minimum", -5), min(schema.get("maximum", 60), 60))
        return {"null": None, "boolean": self.random.random() < 0.5, "number": self.random.random() * 100}.get(kind, self.text(schema) if kind == "string" else self.any())

    def text(self, schema):
        if schema.get("format") == "date":
            return f"2031-{self.random.randint(1, 13):02}-{self.random.randint(1, 31):02}"
        if "[0-9]" in schema.get("pattern", ""):
            return str(self.random.randint(0, 12))
        return self.random.choice((f"2031-03-{self.random.randint(1, 28):02}T{self.random.randint(7, 18):02}:00:00Z", f"FUZZ{self.random.randint(1, 20)}", self.random.choice(self.WORDS)))


def request_of(maker, path, operation, parameters):
    """URL, query, headers and body for one operation."""
    query, headers = [], {}
    for one in parameters:
        value = maker.value(one["schema"], 0.05)
        text = value if isinstance(value, str) else str(value)
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", requests.utils.quote(text, safe="") or "0")
        elif one["in"] == "header":
            if one["name"] == "Idempotency-Key":
                text = str(uuid.uuid4())
            if maker.random.random() < 0.9:
                headers[one["name"]] = maker.random.choice(("*", '"1"', text.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "").replace("\0", "").strip() or "*")) if one["name"] != "Idempotency-Key" else text
        elif maker.random.random() < 0.4:
            query += [(one["name"], item if isinstance(item, str) else str(item)) for item in (value if isinstance(value, list) else [value])]
    body = resolved(operation.get("requestBody", {})).get("content", {})
    if not body:
        return path, query, headers, {}
    kind = maker.random.choice(list(body))
    headers["Content-Type"] = kind
    value = maker.value(body[kind]["schema"], maker.random.choice((0, 0, 0.05, 0.3)))
    if kind == "application/json":
        return path, query, headers, {"data": json.dumps(value).encode()}
    return path, query, headers, {"data": str(value).encode("utf-8", "replace")}


@pytest.mark.parametrize(("method", "path", "operation", "parameters"), [pytest.param(*one, id=one[2]["operationId"]) for one in operations()])
def test_every_operation_answers_as_described_whatever_is_asked(api, method, path, operation, parameters):
    """Daemon.ask() holds the answer against the description; here none may be a bug."""
    maker = Maker(operation["operationId"])
    for _ in range(ROUNDS):
        url, query, headers, body = request_of(maker, path, operation, parameters)
        reply = api.ask(method.upper(), url, params=query, headers=headers, allow_redirects=False, **body)
        assert reply.status_code < 500 or (reply.status_code == 501 and operation["operationId"] == "login"), f"{method} {path}: {reply.status_code} {reply.text[:500]}"
