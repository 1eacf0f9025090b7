# The commands of the house. `make demo` and `make test` do all set-up themselves; a second start takes seconds.
# ARGS="..." goes on to the command: make demo ARGS="--auto --json", make test ARGS="tests/domain -k counter".

.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.plantwright-ready
ARGS ?=

# A run of the tests starts dozens of processes, and each would compile all that it imports once more.
unexport PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1

.PHONY: help setup environment temporal browser demo test test-long test-uncached proof record-histories check lock format clean \
	check-style check-format check-types check-house check-lock check-compose

help:
	@echo 'make demo       a production order from release to close on this machine (ARGS="--auto" plays by itself)'
	@echo 'make test       the tests; make test-long: volume, chaos and durability; make proof: full volumes'
	@echo 'make check      style, types, house plan, lock, compose file'
	@echo 'make setup      environment and Temporal server only'
	@echo 'make lock       renew requirements.lock; make format; make clean'

setup: environment temporal

environment: $(READY)

$(READY): requirements.lock pyproject.toml deploy/uv deploy/python
	@echo 'plantwright: setting up $(VENV)' >&2
	@rm -f $@
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || \
		deploy/uv venv --quiet --clear --python "$$(deploy/python)" $(VENV)
	@deploy/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@deploy/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

# Asked every time, in well under a second: the cache may have been emptied since.
temporal: $(READY)
	@UV="$$(deploy/uv --where)" $(BIN)/python -m workers.temporal_binary >/dev/null

# Found or installed before the tests, whose time limits are not made for that. Without one the tests say what to do.
browser:
	@deploy/browser >/dev/null || true

demo: setup
	@$(BIN)/plantwright demo $(ARGS)

# Two processes share the files between them: most tests wait for servers. JOBS=0 runs everything in one.
JOBS ?= 2
SPREAD := $(if $(filter-out 0,$(JOBS)),-n $(JOBS) --dist loadfile,)

test: setup browser
	@$(BIN)/pytest $(SPREAD) -m 'not long and not proof' $(ARGS)

test-long: setup browser
	@$(BIN)/pytest $(SPREAD) -m 'long and not proof' $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory test-uncached)

# The full volumes: 2,000 postings per ERP with faults and kills, the week's outage, the fast line and the slow ERP.
proof: setup browser
	@$(BIN)/pytest -m proof $(ARGS)

# The tests of workflows once more, every workflow task replaying its whole history.
test-uncached: setup
	@PLANTWRIGHT_TEST_CACHE=0 $(BIN)/pytest $(SPREAD) -m 'not long and not proof' tests/workflows $(ARGS)

# Renews this release's stored histories; those of releases that are out stay as they are.
record-histories: setup
	@$(BIN)/python -m tests.histories.record

# `make -k check` runs what is left after a failure.
check: check-style check-format check-types check-house check-lock check-compose

check-style: $(READY)
	$(BIN)/ruff check

check-format: $(READY)
	$(BIN)/ruff format --check

check-types: $(READY)
	$(BIN)/pyright

check-house: $(READY)
	$(BIN)/lint-imports

check-lock:
	@deploy/check-lock

check-compose:
	@deploy/check-compose

lock:
	deploy/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev -o requirements.lock

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .venv-uv .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
