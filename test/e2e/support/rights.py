"""What roles may do, derived from the catalogues, and the table of docs/security.md that says it to people.

A cell names rights by letter: S select, I insert, U update, D delete, X execute; a small letter is a right on some columns only.
Functions that read and write HL7 (hl7…) are open to everybody and have no row.
"""

import pathlib
import re

KINDS = ("reader", "scheduler", "ingest", "analyst", "auditor", "admin")
DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "security.md"
LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE", "X": "EXECUTE"}


def objects(database):
    """Every table, view and function of the schema, partitions and HL7 functions aside: name -> is a function."""
    rows = database.rows(
        "SELECT relname AS name, false AS is_function FROM pg_class WHERE relnamespace = 'radscheduler'::regnamespace"
        " AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
        " UNION SELECT proname || '()', true FROM pg_proc WHERE pronamespace = 'radscheduler'::regnamespace AND proname !~ '^hl7'"
    )
    return {row["name"]: row["is_function"] for row in rows}


def rights(database, role):
    """object -> letters, of everything the role may do."""
    held = {}
    rows = database.rows(
        "SELECT relname AS name, string_agg(CASE WHEN has_table_privilege(%s, c.oid, p.word) THEN p.letter"
        " WHEN p.letter IN ('S', 'I', 'U') AND has_any_column_privilege(%s, c.oid, p.word) THEN lower(p.letter) END, '' ORDER BY p.place) AS letters"
        " FROM pg_class c, (VALUES ('S', 'SELECT', 1), ('I', 'INSERT', 2), ('U', 'UPDATE', 3), ('D', 'DELETE', 4), ('T', 'TRUNCATE', 5),"
        " ('R', 'REFERENCES', 6), ('G', 'TRIGGER', 7)) p(letter, word, place)"
        " WHERE relnamespace = 'radscheduler'::regnamespace AND relkind IN ('r', 'p', 'v') GROUP BY 1", role, role)
    rows += database.rows(
        "SELECT proname || '()' AS name, CASE WHEN bool_and(has_function_privilege(%s, p.oid, 'EXECUTE')) THEN 'X' END AS letters"
        " FROM pg_proc p WHERE pronamespace = 'radscheduler'::regnamespace AND proname !~ '^hl7' GROUP BY 1", role)
    rows += database.rows(
        "SELECT 'sequence ' || relname AS name, 'S' AS letters FROM pg_class WHERE relnamespace = 'radscheduler'::regnamespace AND"
        " CASE WHEN relkind = 'S' THEN has_sequence_privilege(%s, oid, 'USAGE, SELECT, UPDATE') END", role)
    for row in rows:
        if row["letters"]:
            held[row["name"]] = row["letters"]
    return held


def documented():
    """(object, kind) -> letters, from the table of the document; kind 'everyone' too."""
    cells = {}
    columns = None
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        fields = [field.strip().strip("`") for field in line.strip().strip("|").split("|")]
        if line.startswith("| object |"):
            columns = fields[1:]
        elif columns and line.startswith("| `"):
            for kind, letters in zip(columns, fields[1:]):
                if letters:
                    cells[fields[0], kind] = letters
        elif columns and not line.startswith("|"):
            break
    return cells


def table(database, roles):
    """The table as the document should hold it; roles: kind -> a role of that kind alone, and 'everyone' -> one of none."""
    common = rights(database, roles["everyone"])
    held = {kind: rights(database, roles[kind]) for kind in KINDS}
    lines = ["| object | " + " | ".join(KINDS) + " | everyone |", "|---|" + "---|" * (len(KINDS) + 1)]
    for name in sorted(set(common).union(*held.values()), key=lambda name: (name.endswith("()"), name)):
        cells = ["" if held[kind].get(name) == common.get(name) else held[kind].get(name, "") for kind in KINDS]
        lines.append(f"| `{name}` | " + " | ".join(cells + [common.get(name, "")]) + " |")
    return [re.sub(r" +\|", " |", line) for line in lines]
