#!/usr/bin/env python3
"""Shows that the core's work grows no faster than its input: instructions counted by callgrind, not seconds.

Each case of linear_probe runs on two sizes, one four times the other. Work that is linear takes about four times the instructions;
work that looks at the same bytes again takes up to sixteen. The bound is five: the logarithm of a sort and the growth of memory
blocks fit under it, a square does not.

  run.py PROBE [CASE ...]      prints a line per case and ends with `N passed, M failed`
"""

import concurrent.futures
import re
import subprocess
import sys

SMALL = 16_000
FACTOR = 4
BOUND = 5.0
# What a case costs whatever its input; smaller counts say nothing about growth.
FIXED = 60_000


def instructions(probe, case, size):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no", "--toggle-collect=work", probe, case, str(size)],
        capture_output=True, text=True, timeout=300, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}")
    return int(found.group(1))


def judge(probe, case):
    try:
        small = instructions(probe, case, SMALL)
        large = instructions(probe, case, SMALL * FACTOR)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return False, f"{case}: {error}"
    growth = large / max(small, FIXED)
    return growth <= BOUND, f"{case}: {small / SMALL:.1f} instructions a byte, times {growth:.2f} for {FACTOR} times the bytes"


def main():
    probe, cases = sys.argv[1], sys.argv[2:]
    if not cases:
        cases = subprocess.run([probe], capture_output=True, text=True, check=True).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: judge(probe, case), cases))
    for good, text in results:
        print(f"{'ok  ' if good else 'FAILED'} {text}", flush=True)
    passed = sum(good for good, _ in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) and results else 1


if __name__ == "__main__":
    sys.exit(main())
