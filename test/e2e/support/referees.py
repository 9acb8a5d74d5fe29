"""How HL7 parsers of other hands cut a message, in one form: {(segment, field, repetition, component, subcomponent): text}.

Segments count from 0, all else from 1; texts are undecoded; field 0 is the segment's name.
"""

import json
import pathlib
import shutil
import subprocess

import hl7

REPO = pathlib.Path(__file__).resolve().parents[3]
SOURCES = REPO / "test" / "referees"
PLACE = REPO / "build" / "referees"


def leaves(segments):
    """Of [[name, field, …], …] with fields as [[[subcomponent, …], …], …]."""
    found = {}
    for place, (name, *fields) in enumerate(segments):
        found[place, 0, 1, 1, 1] = name
        for number, field in enumerate(fields, 1):
            for repetition, components in enumerate(field, 1):
                for component, parts in enumerate(components, 1):
                    for subcomponent, text in enumerate(parts, 1):
                        found[place, number, repetition, component, subcomponent] = text
    return found


def by_python_hl7(text):
    """Raises what hl7.parse() raises."""
    def parts(value):
        return [str(part) for part in value] if isinstance(value, hl7.Component) else [str(value)]

    def components(value):
        return [parts(part) for part in value] if isinstance(value, hl7.Repetition) else [[str(value)]]

    def field(value):
        return [components(part) for part in value] or [[[""]]]

    return leaves([[str(segment[0]), *(field(part) for part in segment[1:])] for segment in hl7.parse(text)])


class SimpleHl7:
    """simple-hl7 from npm, installed under build/ at first use. `reason` says why it is not at hand."""

    def __init__(self):
        self.reason = None
        if shutil.which("npm") is None or shutil.which("node") is None:
            self.reason = "node and npm are not installed"
            return
        PLACE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", "simple_hl7_tree.js"):
            shutil.copy(SOURCES / name, PLACE / name)
        if not (PLACE / "node_modules" / "simple-hl7").exists():
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True, timeout=300, check=False)
            if done.returncode != 0:
                self.reason = f"npm could not install simple-hl7: {done.stderr.decode(errors='replace').strip()[-300:]}"

    def trees(self, texts):
        """{id: leaves or an error text} for {id: text}."""
        lines = "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items())
        done = subprocess.run(["node", "simple_hl7_tree.js"], cwd=PLACE, input=lines.encode(), capture_output=True, timeout=300, check=True)
        replies = map(json.loads, done.stdout.decode().splitlines())
        return {reply["id"]: reply["error"] if "error" in reply else leaves(reply["segments"]) for reply in replies}
