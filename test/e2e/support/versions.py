"""The released versions of the extension, as their frozen scripts in extension/updates/ say, and the one that is being made."""

import re

from .services import REPO, Database

EXTENSION = REPO / "extension"
UPDATES = EXTENSION / "updates"
VERSION = re.search(r"default_version = '(.*?)'", (EXTENSION / "radscheduler.control").read_text()).group(1)
RELEASED = [match.group(1) for path in sorted(UPDATES.glob("radscheduler--*.sql")) if (match := re.fullmatch(r"radscheduler--([\d.]+)\.sql", path.name))]


def install(cluster, name, version, is_ready=True):
    """A new database with that version; the library is the present one, as after an installation before ALTER EXTENSION UPDATE. is_ready: what the
    newest version needs is there too, and not only what that one did."""
    database = Database.create(cluster, name, extension=False)
    if is_ready:
        database.execute("CREATE EXTENSION pg_trgm")
    database.execute(f"CREATE EXTENSION radscheduler VERSION '{version}' CASCADE")
    return database
