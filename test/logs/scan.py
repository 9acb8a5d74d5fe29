#!/usr/bin/env python3
"""Looks for patients in every log that the suites' servers left. usage: test/logs/scan.py FOLDER [CLUSTER...]

FOLDER holds the logs (RADSCHED_KEEP_LOGS of scripts/check.sh) and e2e.secrets, what the end-to-end suite made up; all else is read from
the sources (patients.py). Each CLUSTER named must have left PostgreSQL's log. Each log is one passed or failed; a finding is said as
FILE:LINE with the token. A log counts as clean only when the same log with a patient planted in it does not. Ends with
`N passed, N failed`.
"""

import pathlib
import re
import sys

import patients

REPO = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ["sql/*.sql", "test/specs/*.spec", "README.md", "docs/*.md", "test/e2e/*.py", "test/e2e/support/*.py", "scripts/demo*.sh",
           "simulator/*.py", "sidecar/tools/*.cpp"]

# One of each way in which sources write a patient. When one is not read any more, finding nothing means nothing.
KNOWN = {
    "MRN123456": "PID-3 of a message in SQL", "DOE^JOHN": "PID-5 of a message in SQL", "6175550123": "PID-13 of a message in SQL",
    "Ada Lovelace": "a name inserted in SQL", "VM1": "an identifier inserted in SQL", "6175550199": "a phone number inserted in SQL",
    "EM1": "an argument of a function that makes messages", "John Doe": "a name in JSON", "MRN700": "a message in the documentation",
}

# Tokens that may stand in a log, each with the reason. None has to.
EXCUSED = {}


def gather(folder):
    """{text to look for: kind}."""
    wanted = {}
    for pattern in SOURCES:
        for source in sorted(REPO.glob(pattern)):
            for kind, form in sorted(patients.of_source(source.read_text(encoding="utf-8"))):
                wanted.setdefault(form, kind)
    made_up = folder / "e2e.secrets"
    if made_up.exists():
        wanted.update((line, "made up") for line in made_up.read_text(encoding="utf-8").splitlines())
    return {form: kind for form, kind in wanted.items() if form not in EXCUSED}


class Scanner:
    """Finds phone numbers and made-up values anywhere, several words in any case of letters, and one word as it is written, as a name, or
    in capitals: in small letters "audit" is a word of logs and nobody's name."""

    def __init__(self, wanted):
        bounded = [form for form, kind in wanted.items() if kind not in ("phone", "made up")]
        self._words = {case for form in bounded if re.fullmatch(r"\w+", form) for case in (form, form.title(), form.upper())}
        self._phrases = {form.lower(): re.compile(rf"(?<!\w){re.escape(form)}(?!\w)", re.IGNORECASE) for form in bounded if form not in self._words}
        # Thousands are made up and begin alike: a text is searched for the few beginnings first.
        self._stems = {}
        for form, kind in wanted.items():
            if kind in ("phone", "made up"):
                self._stems.setdefault(form[:8], []).append(form)

    def find(self, text):
        """[(line number, token)]."""
        lowered = text.lower()
        places = [(text.find(form), form) for stem, forms in self._stems.items() if stem in text for form in forms if form in text]
        places += [(match.start(), match.group()) for match in re.finditer(r"\w+", text) if match.group() in self._words]
        places += [(match.start(), match.group()) for form, phrase in self._phrases.items() if form in lowered for match in phrase.finditer(text)]
        return [(text.count("\n", 0, place) + 1, token) for place, token in sorted(places)]


def examine(scanner, log, planted):
    """Sentences about what is wrong with a log; none when it is clean."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        return [f"{log}: it is empty, so nothing was proven"]
    found = scanner.find(text)
    if found:
        return [f"{log}:{line}: {token}" for line, token in found]
    seen = {token for _, token in scanner.find(text + "".join(f"\nERROR:  invalid value \"{form}\"" for form in planted))}
    return [f"{log}: {form} was planted in a copy and not found" for form in planted if form not in seen]


def main():
    folder, clusters = pathlib.Path(sys.argv[1]), sys.argv[2:]
    passed = failed = 0

    def count(what, troubles):
        nonlocal passed, failed
        for trouble in troubles:
            print(trouble)
        if troubles:
            failed += 1
        else:
            passed += 1
            print(f"ok {what}")

    wanted = gather(folder)
    scanner = Scanner(wanted)
    made_up = [form for form, kind in wanted.items() if kind == "made up"]
    planted = [*KNOWN, *made_up[:3]]
    count(f"{len(wanted)} names, identifiers and phone numbers to look for", [f"{form} ({what}) is not read from the sources any more" for form, what in KNOWN.items() if form not in wanted])
    logs = sorted(folder.glob("*.log"))
    for cluster in clusters:
        count(f"{cluster} left its log", [] if any(log.name.startswith(f"{cluster}-postgresql-") for log in logs) else [f"the cluster {cluster} left no log in {folder}"])
    if "e2e" in clusters:
        count("the end-to-end suite left what it made up", [] if len(made_up) > 50 else [f"{folder}/e2e.secrets holds {len(made_up)} values; run the whole suite"])
    if not logs:
        count("logs", [f"there is no log in {folder}"])
    for log in logs:
        count(log, examine(scanner, log, planted))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
