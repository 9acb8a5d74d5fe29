"""Counts the checks of a script that is no pytest suite, and says each one."""


class Tally:
    """Every check is one line; close() prints `N passed, N failed` last and gives the exit code."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, good, detail=""):
        if good:
            self.passed += 1
            print(f"ok {what}" + (f" ({detail})" if detail else ""), flush=True)
        else:
            self.failed += 1
            print(f"FAILED {what}: {detail or 'it does not hold'}", flush=True)
        return good

    def empty(self, what, found, detail=""):
        """A check that a list of offenders is empty; the first five are shown."""
        return self.check(what, not found, f"{len(found)}: {found[:5]}" if found else detail)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed > 0 else 1
