#!/usr/bin/python3
"""Writes the update script from one version of the extension to the next, from the two full scripts.

usage: scripts/update-script.py OLD.sql NEW.sql > updates/radscheduler--A--B.sql

Invariants: what stands in both is left alone. A function that changed is replaced in place, so that rights, views and triggers keep
it; one that is gone, returns other columns or lost a default is dropped first (PostgreSQL refuses where something of the site's depends on it). Code
tables are replaced wholesale. A composite type may gain attributes at its end. Rights are settled anew, and the records migrate last. Any other statement that is gone or changed (a
type, an operator, a table) stops the program: that needs a hand.
"""

import re
import sys

FUNCTION = re.compile(r"CREATE FUNCTION (radscheduler\.\w+)")
SIGNATURE = re.compile(r"COMMENT ON FUNCTION (radscheduler\.\w+\(.*?\)) IS", re.S)
COMMENT = re.compile(r"(COMMENT ON (?!FUNCTION).*?) IS '", re.S)
COMPOSITE = re.compile(r"CREATE TYPE (radscheduler\.\w+) AS \((.*)\);", re.S)
ROWS = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (radscheduler\.\w+)")
ALWAYS = re.compile(r"DO |GRANT |REVOKE |SELECT radscheduler\.write_rights\(")
NEVER = re.compile(r"SELECT radscheduler\.provision\(")
TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;|[^-'\"$;]+|.", re.S)


def statements(script):
    """The statements of a script without comments between them, each ended by its semicolon."""
    found, words = [], ""
    for match in TOKEN.finditer(script):
        token = match.group(0)
        if token.startswith("--"):
            continue
        words += token
        if token == ";":
            found.append(words.strip())
            words = ""
    assert not words.strip(), f"the script ends in the middle of a statement: {words[:60]}"
    return found


def table_of(statement):
    match = ROWS.match(statement)
    return match.group(1) if match else None


def results(script):
    """signature -> (what the function returns, how many defaults it has): one that returns something else, or has fewer, cannot be replaced in place."""
    found = {}
    for statement, comment in zip(script, script[1:]):
        if FUNCTION.match(statement) and (match := SIGNATURE.match(comment)):
            head = re.split(r"\bLANGUAGE\b", statement)[0]
            returned = re.sub(r"\s+", " ", " ".join(re.findall(r"\bOUT\s[^,)]*|\bRETURNS\s.*", head, re.S))).strip()
            found[re.sub(r"\s+", " ", match.group(1))] = (returned, len(re.findall(r"\bDEFAULT\b", head)))
    return found


def attributes(statement):
    """(type, its attributes) of CREATE TYPE … AS (…), else None."""
    match = COMPOSITE.match(statement)
    return match and (match.group(1), [re.sub(r"\s+", " ", a).strip() for a in match.group(2).split(",")])


def grown(old, new):
    """The statements of new that make a composite type of old with more attributes -> those attributes."""
    had = dict(filter(None, map(attributes, old)))
    found = {}
    for statement in new:
        name, columns = attributes(statement) or (None, [])
        before = had.get(name)
        if before and len(columns) > len(before) and columns[: len(before)] == before:
            found[statement] = (name, columns[len(before):])
    return found


def update(old, new):
    """The statements that lead from the old version to the new one."""
    gone = [s for s in old if s not in set(new)]
    added = [s for s in new if s not in set(old)]
    changed_tables = {table_of(s) for s in gone if table_of(s)}
    assert "radscheduler.storage_step" not in changed_tables, "a storage step that was released has changed; add a new one instead"
    functions = {m.group(1) for s in new if (m := FUNCTION.match(s))}
    replaced = {m.group(1) for s in added if (m := FUNCTION.match(s))}
    signatures = {re.sub(r"\s+", " ", m.group(1)) for s in new if (m := SIGNATURE.match(s))}
    commented = {m.group(1) for s in new if (m := COMMENT.match(s))}
    was, becomes = results(old), results(new)
    more = grown(old, new)
    outgrown = {name for name, _ in more.values()}
    lines = [f"DROP FUNCTION {signature};" for signature in was if signature in becomes
             and (was[signature][0] != becomes[signature][0] or was[signature][1] > becomes[signature][1])]
    for statement in gone:
        if match := SIGNATURE.match(statement):
            signature = re.sub(r"\s+", " ", match.group(1))
            if signature not in signatures:
                lines.append(f"DROP FUNCTION {signature};")
        elif match := FUNCTION.match(statement):
            assert match.group(1) not in functions or match.group(1) in replaced, statement[:80]
        elif (match := COMMENT.match(statement)) and match.group(1) in commented:
            pass  # the new words stand in the place of the old ones
        elif (attributes(statement) or [None])[0] in outgrown:
            pass
        elif not (table_of(statement) or ALWAYS.match(statement) or NEVER.match(statement)):
            raise SystemExit(f"a statement is gone, and how to undo it is not known: {statement[:200]}")
    # Emptied from the last to the first, as later ones refer to earlier ones; filled in their order.
    changed = dict.fromkeys(table for s in new if (table := table_of(s)) in changed_tables)
    lines += [f"DELETE FROM {table};" for table in reversed(changed)]
    for statement in new:
        table = table_of(statement)
        if NEVER.match(statement):
            continue
        if table in changed_tables:
            lines.append(statement)
        elif statement in more:
            name, columns = more[statement]
            lines += [f"ALTER TYPE {name} ADD ATTRIBUTE {column};" for column in columns]
        elif statement in added or ALWAYS.match(statement):
            lines.append(re.sub(r"^CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", statement))
    lines += ["SELECT radscheduler.migrate();", "SELECT radscheduler.settle_initial_rights();"]
    return lines


def main():
    old_path, new_path = sys.argv[1:]
    version = re.search(r"radscheduler--([\d.]+)\.sql$", new_path).group(1)
    with open(old_path, encoding="utf-8") as old, open(new_path, encoding="utf-8") as new:
        lines = update(statements(drop_echo(old.read())), statements(drop_echo(new.read())))
    print(f"-- Brings the code to {version}, then the records. Frozen once released.")
    print(f"\\echo Use \"ALTER EXTENSION radscheduler UPDATE TO '{version}'\" to load this file. \\quit\n")
    print("\n\n".join(lines))


def drop_echo(script):
    return re.sub(r"^\\echo.*$", "", script, flags=re.M)


if __name__ == "__main__":
    main()
