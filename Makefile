# Every verb a person needs. `make help` lists them.
#
# The extension is built by extension/Makefile (PGXS), everything else by CMake into build/cmake.
# PG_CONFIG chooses the PostgreSQL (15 to 18); without it the newest installed one with server headers is used.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
.SUFFIXES:

JOBS ?= 2
PYTHON := /usr/bin/python3

.PHONY: help all extension sidecar install demo demo-stop psql check check-unit check-linear check-fuzz check-regress check-isolation check-e2e \
        check-docs check-logs check-long bench fuzz format lint clean setup

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install the Debian packages that are missing (scripts/packages.txt)
	@scripts/setup.sh build run test

all: extension sidecar ## build the extension and the daemon

extension:
	@pg_config=$$(. scripts/lib.sh; find_pg_config); \
	PATH="/usr/lib/ccache:$$PATH" $(MAKE) --no-print-directory -s -j$(JOBS) -C extension all PG_CONFIG="$$pg_config"

sidecar:
	@mkdir -p build/cmake
	@[ -f build/cmake/Makefile ] || cmake -S . -B build/cmake >build/cmake-configure.log 2>&1 || { tail -n 30 build/cmake-configure.log; exit 1; }
	@cmake --build build/cmake -j $(JOBS) -- --no-print-directory | { grep --line-buffered -v 'Built target' || true; }

install: all ## build, then install the extension into PostgreSQL's folders (root or sudo, only when something changed)
	@scripts/install.sh

demo: ## the whole story on this machine, asserted step by step; leaves the services up (DEMO_MLLP_PORT, DEMO_HTTP_PORT, DEMO_HOST)
	@scripts/demo.sh

demo-stop: ## stop the demo and remove its files
	@scripts/demo-stop.sh

psql: ## psql on the demo's database; `make -s psql < file.sql` runs a script there
	@scripts/psql.sh

check: ## set up, build, install, run every suite; ends with `N passed, N failed`
	@scripts/check.sh

check-linear: ## the core's work grows no faster than its input (callgrind)
	@scripts/check.sh linear

check-fuzz: ## every fuzz target for a few seconds (CHECK_FUZZ_SECONDS)
	@scripts/check.sh fuzz

check-unit: ## GoogleTest: core and daemon without I/O
	@scripts/check.sh unit

check-regress: ## pg_regress on a private cluster
	@scripts/check.sh regress

check-isolation: ## isolation specs on a private cluster
	@scripts/check.sh isolation

check-e2e: ## end to end: real PostgreSQL, Redis and daemon (pytest)
	@scripts/check.sh e2e

check-docs: ## the SQL and shell lines of README.md and docs/
	@scripts/check.sh docs

check-logs: ## the suites that start servers, then: no patient of theirs stands in any log
	@scripts/check.sh regress isolation e2e docs logs

check-long: ## what takes too long for every day (90 minutes and more): sanitizers, arm64 (emulated), fuzzers, soak, contention, kill -9, bursts, a million messages; results in build/check-long.md
	@scripts/check-long.sh

bench: install ## measure reading, ingest and MLLP beside their floors; results in build/bench
	@scripts/setup.sh build run test bench
	@scripts/bench.sh

fuzz: ## run every fuzz target for FUZZ_SECONDS (default 600) each
	@scripts/setup.sh build fuzz
	@test/fuzz/run.sh $${FUZZ_SECONDS:-600}

format: ## format the C++ sources in place
	@scripts/setup.sh dev
	@scripts/lint.sh --fix

lint: ## formatting, clang-tidy, shellcheck, and the project's own rules
	@scripts/setup.sh build dev
	@scripts/lint.sh

clean: ## stop the demo and remove everything that was built
	@scripts/demo-stop.sh --quiet
	@for cluster in check e2e e2e-elsewhere docs benchdb soak contention kill; do scripts/cluster.sh destroy $$cluster; done
	@pg_config=$$(. scripts/lib.sh; find_pg_config) && $(MAKE) --no-print-directory -s -C extension clean PG_CONFIG="$$pg_config" || true
	rm -rf build
