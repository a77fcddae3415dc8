.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= 1000
# What needs a server of its own; the servers start once a session, so those tests stay in one process each.
SERVERS := hapi or medplum or oracle or postgres

# The tests start hundreds of processes, which would compile every module again each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-slow test-long drills fuzz coverage check format lock clean

help: ## What each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else "careplan-exchange needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.installed ## The main job, end to end, on the embedded sandbox server (under a minute)
	@$(BIN)/careplan demo

test: $(VENV)/.installed-dev ## Set up and run the tests (not those with real servers, nor the slow ones)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow and not ($(SERVERS))"

test-slow: $(VENV)/.installed-dev ## Those with real servers (HAPI, Medplum, PostgreSQL, the reference engine), and the drills
	@$(BIN)/python -m pytest -q -m "not long and not hapi and (slow or $(SERVERS))" >.slow.log 2>&1 & beside=$$!; \
		$(BIN)/python -m pytest -q -m "not long and hapi"; status=$$?; \
		wait $$beside || status=$$?; cat .slow.log; rm -f .slow.log; exit $$status

test-long: $(VENV)/.installed-dev ## HAPI killed in mid-write, each place of a cut, Medplum with each patient, a million entries (ten minutes and more)
	@$(BIN)/python -m pytest -q -m long

drills: $(VENV)/.installed ## The twelve ways to lose a write, RUNS times each on the sandbox (1000: an hour on two idle cores)
	@$(BIN)/careplan drill --runs $(RUNS) --processes 2

fuzz: $(VENV)/.installed-dev ## 100,000 examples of bad input for reading and mapping (5 to 15 minutes on two cores)
	@$(BIN)/python tests/fuzz/run.py

coverage: $(VENV)/.installed-dev ## Branch coverage of the pure core (at least 95 %)
	@$(BIN)/python -m pytest -q -m "not slow and not hapi and not oracle and not postgres" tests/unit tests/cases \
		--cov=careplan_exchange.mapping --cov=careplan_exchange.planner --cov=careplan_exchange.reconcile \
		--cov=careplan_exchange.model --cov-branch --cov-report=term --cov-fail-under=95

check: $(VENV)/.installed-dev ## Format, lint, types, layers, knowledge lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/careplan knowledge check

format: $(VENV)/.installed-dev ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/.installed-dev ## Resolve the dependencies anew (hashes, no URLs)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml --group dev -o requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml --group build -c requirements-dev.lock -o requirements.lock

clean: ## Remove what was built
	@rm -rf $(VENV) .build dist .mypy_cache .ruff_cache .pytest_cache
