"""Which names, identifiers and phone numbers of patients the tests and the documentation use, read from their sources.

Conservative: what is cut from a source may well be less than what stands there, but must be a patient's. Taken are PID segments of messages
(PID-3, PID-5, PID-13), literals that are inserted into radscheduler.appointments, the JSON keys patientId, patientName and patientPhone, and
what is given as mrn to a function that makes messages.
Placeholders (%s, {…}, $x) are skipped. A short or common word would be found in lines that tell nothing, so:
an identifier has a letter and a digit and three characters, or five characters; digits alone are seven; a name is five letters, or the
whole of it.
"""

import re

# Words of these sources that begin sentences in logs as well; as part of a whole name ("Test Patient") they are still looked for.
COMMON = {"patient", "sample", "today", "second", "first", "three"}

PID_SEGMENT = re.compile(r"""\bPID\|[^|'"\n]*\|[^|\n]*\|(?P<ids>[^|'"\n]*)(?:\|[^|'"\n]*\|(?P<name>[^|'"\n]*))?(?P<rest>(?:\|[^|'"\n]*)*)""")
SEGMENT_END = re.compile(r"\\r|\\n|<CR>|\r|\\x0d")
JSON_VALUE = re.compile(r"""\\?["'](?P<key>patientId|patientName|patientPhone)\\?["']\s*:\s*\\?["'](?P<value>(?:[^"'\\]|\\\\.)*)""")
INSERT = re.compile(r"INSERT\s+INTO\s+(?:radscheduler\.)?appointments\s*\(", re.IGNORECASE)
FUNCTION = re.compile(r"CREATE FUNCTION (?P<name>(?:pg_temp\.)?\w+)\((?P<parameters>[^)]*)\)")
COLUMNS = {"patient_id": "id", "patient_name": "name", "patient_phone": "phone"}
PLACEHOLDER = re.compile(r"%[sLI]|%\d|\{|\$|^:")


def rows_of(text, place):
    """The bracketed rows of a VALUES list that begins at `place`, each as its literals; what is no plain literal is None."""
    rows = []
    while bracket := re.compile(r"\s*,?\s*\(").match(text, place):
        place, depth, values, current = bracket.end(), 1, [], ""
        while depth and place < len(text):
            literal = re.compile(r"'(?:[^']|'')*'").match(text, place)
            if literal:
                current += literal.group()
                place = literal.end()
                continue
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            if depth == 0 or depth == 1 and text[place] == ",":
                values.append(current.strip())
                current = ""
            else:
                current += text[place]
            place += 1
        rows.append([value[1:-1].replace("''", "'") if re.fullmatch(r"'(?:[^']|'')*'", value) else None for value in values])
    return rows


def inserted(text):
    """(kind, value) of every patient that is inserted into the view."""
    for start in INSERT.finditer(text):
        columns_end = text.index(")", start.end())
        columns = [column.strip().lower() for column in text[start.end():columns_end].split(",")]
        values = re.compile(r"\s*VALUES\b", re.IGNORECASE).match(text, columns_end + 1)
        for row in rows_of(text, values.end()) if values else []:
            for column, value in zip(columns, row):
                if column in COLUMNS and value:
                    yield COLUMNS[column], value


def given_to_functions(text):
    """(kind, value) of every literal that is given as mrn to a function of the source."""
    for function in FUNCTION.finditer(text):
        parameters = [parameter.split()[0] for parameter in function["parameters"].split(",") if parameter.strip()]
        if "mrn" in parameters:
            place = parameters.index("mrn")
            for call in re.finditer(re.escape(function["name"]) + r"(?=\(')", text):
                arguments = rows_of(text, call.end())[0]
                if place < len(arguments) and arguments[place]:
                    yield "id", arguments[place]


def raw_values(text):
    """(kind, value) of everything in a source that is a patient's."""
    for line in SEGMENT_END.split(text):
        for segment in PID_SEGMENT.finditer(line):
            for repetition in segment["ids"].split("~"):
                yield "id", repetition.split("^")[0]
            for repetition in (segment["name"] or "").split("~"):
                yield "name", repetition
            fields = segment["rest"].split("|")
            if len(fields) > 8:  # "rest" begins with PID-6
                yield "phone", fields[8].split("^")[0]
    for match in JSON_VALUE.finditer(text):
        yield {"patientId": "id", "patientName": "name", "patientPhone": "phone"}[match["key"]], match["value"].replace("\\\\", "\\")
    yield from inserted(text)
    yield from given_to_functions(text)


def forms(kind, value):
    """The texts to look for when a patient has this value; none when it is too common to mean anything."""
    value = value.strip()
    if not value or PLACEHOLDER.search(value):
        return
    if kind == "phone":
        digits = re.sub(r"\D", "", value)
        if len(digits) >= 7:
            yield from {value, digits, digits[-10:]}
    elif kind == "id":
        if value.isdigit() and len(value) >= 7 or not value.isdigit() and (len(value) >= 5 or len(value) >= 3 and re.search(r"\d", value)):
            yield value
    else:
        parts = [part for part in re.split(r"[\^ ]+", value) if part]
        if len(parts) > 1 and len("".join(parts)) >= 5:
            yield value
            yield " ".join(parts)
            yield " ".join(reversed(parts))
        yield from (part for part in parts if len(part) >= 5 and part.isalpha() and part.lower() not in COMMON)


def of_source(text):
    """Every text to look for that a source gives, with its kind."""
    return {(kind, form) for kind, value in raw_values(text) for form in forms(kind, value)}
