"""Two parsers of other hands as referees: python3-hl7 and simple-hl7 (npm) cut the same messages as hl7_to_jsonb() and hl7_raw().

Where both referees agree, we must agree with them. Every difference to either one must have one of the explanations below; what has
none fails the test. The differences found are written to build/referees.md.
"""

import collections
import os
import pathlib
import re

import hl7
import psycopg2
import pytest
from support.messages import GUIDE_MESSAGE
from support.referees import REPO, SimpleHl7, by_python_hl7, leaves
from support.services import Database

HEADERS = ("MSH", "FHS", "BHS")

OWN = {
    "guide": GUIDE_MESSAGE.decode(),
    "repetitions": "MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5\rPID|1||7^^^H&1.2&ISO^MR~8~||DOE^JOHN^^^^^L||19800101||\rNTE|1||a&b^c~d\r",
    "escapes": "MSH|^~\\&|A|B|C|D|20260101||SIU^S12|2|P|2.5\rNTE|1||a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\rNTE|2||lone \\ and \\Z9\\ and \\X41\\ and \\.br\\\r",
    "nulls": "MSH|^~\\&|A|B|C|D|20260101||SIU^S12|3|P|2.5\rPID|1|\"\"||\"\"^x|\rZZZ|||y\rAIS|1\r",
}


class Message:
    """One message as we cut it, with what explaining a difference takes."""

    def __init__(self, text, json):
        self.text = text
        self.separator = text[3]
        self.lines = text.rstrip("\r").split("\r")
        self.names = [line.split(self.separator)[0] for line in self.lines]
        self.leaves = leaves([[segment[0], *(self._part(field, 0) for field in segment[1:])] for segment in json])

    def _part(self, value, level):
        """Every field as [[[subcomponent, …], …], …], whatever short form it has in the JSON."""
        if isinstance(value, list):
            return [self._part(inner, level + 1) for inner in value]
        text = '""' if value is None else value["raw"] if isinstance(value, dict) else value
        for _ in range(3 - level):
            text = [text]
        return text

    def path(self, key):
        segment, field, repetition, component, subcomponent = key
        name = self.names[segment]
        return f"{name}[{self.names[: segment + 1].count(name)}]-{field}[{repetition}].{component}.{subcomponent}"


def explain_python_hl7(message, key, ours, theirs):
    segment = key[0]
    if segment == len(message.lines) - 1 and ours is not None and theirs == ours.rstrip():
        return "python-hl7 strips blanks from the end of a message"
    if message.names[segment] in HEADERS and message.lines[segment].count(message.separator) == 1:
        return "python-hl7 reads a header that ends behind MSH-2 as if its delimiters were fields again"
    return None


def explain_simple_hl7(message, key, ours, theirs):
    segment, field = key[0], key[1]
    encoding = message.lines[0][4:].split(message.separator)[0]
    if message.separator != "|" or not encoding.startswith("^~\\&"):
        return "simple-hl7 reads every message with the delimiters |^~\\&"
    if segment == 0 and field == 2 and ours == theirs + encoding[4:]:
        return "simple-hl7 leaves the fifth encoding character out"
    if segment == 0 and field == 0 and ours in HEADERS:
        return "simple-hl7 calls every first segment MSH"
    if segment > 0 and message.names[segment] in HEADERS:
        return "simple-hl7 cuts a header that is not the first segment like data"
    return None


class Judge:
    def __init__(self, db):
        self.db = db
        self.compared = 0
        self.unescaped = 0
        self.explained = collections.Counter()
        self.unexplained = []

    def read(self, sent):
        row = self.db.rows("SELECT m::text AS text, m::jsonb AS json FROM radscheduler.hl7(%s::bytea) m", psycopg2.Binary(sent))[0]
        message = Message(row["text"], row["json"])
        # Texts that escape() would spell as they were sent are decoded in the JSON; their raw text is asked for.
        keys = [key for key, value in message.leaves.items() if key[1] > 0 and isinstance(value, str) and re.search(r"\W", value) and re.match("[A-Z][A-Z0-9]{2}$", message.names[key[0]])]
        rows = self.db.rows(
            "SELECT ordinality AS n, radscheduler.hl7_raw(%s::text::radscheduler.hl7, path) AS raw FROM unnest(%s::text[]) WITH ORDINALITY p(path)",
            message.text, [message.path(key) for key in keys])
        for key, row in zip(keys, rows):
            message.leaves[key] = row["raw"]
        return message

    def compare(self, name, message, python, simple):
        for key in sorted(set(message.leaves) | set(python) | set(simple)):
            ours, first, second = message.leaves.get(key), python.get(key), simple.get(key)
            self.compared += 1
            if first == second and first != ours:
                self.unexplained.append((name, key, ours, "both referees", first))
                continue
            for theirs, explain, who in ((first, explain_python_hl7, "python-hl7"), (second, explain_simple_hl7, "simple-hl7")):
                if theirs == ours:
                    continue
                why = explain(message, key, ours, theirs)
                if why is None:
                    self.unexplained.append((name, key, ours, who, theirs))
                else:
                    self.explained[why] += 1

    def compare_unescaped(self, name, message):
        """python-hl7 decodes \\F\\ \\S\\ \\T\\ \\R\\ \\E\\ as we do; in all else HL7 leaves it and us different choices."""
        if message.text[3:8] != "|^~\\&":
            return
        parsed = hl7.parse(message.text)
        keys = [key for key, raw in message.leaves.items() if isinstance(raw, str) and "\\" in raw and key[1] > 2 and message.names[key[0]] not in HEADERS]
        rows = self.db.rows(
            "SELECT radscheduler.hl7_get(%s::text::radscheduler.hl7, path) AS text FROM unnest(%s::text[]) WITH ORDINALITY p(path, n) ORDER BY n",
            message.text, [message.path(key) for key in keys]) if keys else []
        for key, row in zip(keys, rows):
            raw = message.leaves[key]
            self.unescaped += 1
            if parsed.unescape(raw) == row["text"]:
                continue
            if re.sub(r"\\[FSTRE]\\", "", raw).count("\\") == 0:
                self.unexplained.append((name, key, row["text"], "python-hl7, decoded", parsed.unescape(raw)))
            else:
                self.explained["python-hl7 decodes \\X..\\ as code points, \\.br\\ as CR, \\H\\ and \\N\\ as _, and drops unknown escapes"] += 1

    def judge(self, messages, simple_hl7):
        """messages: {name: bytes}. Gives how many were refused by us, by reason."""
        read, refused = {}, collections.Counter()
        for name, sent in messages.items():
            try:
                read[name] = self.read(sent)
            except psycopg2.Error as error:
                reason = error.diag.message_primary
                assert reason.startswith("not an HL7 v2 message: "), reason
                refused[re.sub(r"'.'|\(byte \d+\)|holds \d+", "…", reason.removeprefix("not an HL7 v2 message: "))] += 1
        trees = simple_hl7.trees({name: message.text for name, message in read.items()})
        for name, message in read.items():
            assert isinstance(trees[name], dict), f"simple-hl7 cannot read {name}: {trees[name]}"
            self.compare(name, message, by_python_hl7(message.text), trees[name])
            self.compare_unescaped(name, message)
        return len(read), refused


@pytest.fixture(scope="module")
def db(cluster):
    database = Database.create(cluster, "referees")
    yield database
    database.close()


@pytest.fixture(scope="module")
def simple_hl7():
    referee = SimpleHl7()
    if referee.reason:
        pytest.skip(f"The npm referee is not here: {referee.reason}")
    return referee


def corpus():
    folder = pathlib.Path(os.environ.get("RADSCHED_CORPUS", REPO.parent / "shared" / "corpus"))
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.hl7"))}


def test_referees_agree_on_our_own_messages(db, simple_hl7):
    judge = Judge(db)
    read, refused = judge.judge({name: text.encode() for name, text in OWN.items()}, simple_hl7)
    assert judge.unexplained == []
    assert read == len(OWN) and not refused
    assert judge.compared > 150 and judge.unescaped >= 2


def test_referees_agree_on_real_messages_or_the_difference_is_explained(db, simple_hl7):
    messages = corpus()
    if not messages:
        pytest.skip("No corpus here; set RADSCHED_CORPUS to a folder of .hl7 files.")
    judge = Judge(db)
    read, refused = judge.judge(messages, simple_hl7)
    report = [f"{read} of {len(messages)} messages read, {judge.compared:,} values compared, {judge.unescaped:,} of them decoded too.", "",
              "| difference | values |", "|---|---|", *(f"| {why} | {count} |" for why, count in judge.explained.most_common()), "",
              "| refused, because | messages |", "|---|---|", *(f"| {why} | {count} |" for why, count in refused.most_common())]
    (REPO / "build" / "referees.md").write_text("\n".join(report) + "\n", encoding="utf-8")
    assert judge.unexplained == [], f"{len(judge.unexplained)} differences without explanation"
    assert read > 0.9 * len(messages)
