# Quakestream. `make` lists what there is; each target does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

VENV := .venv/pyvenv.cfg
RUNS := .venv/.runs
DEVELOPS := .venv/.develops
READ := .venv/.tests-read
PAGE := src/quakestream/api/dashboard/index.html
PAGE_SOURCES := $(shell find dashboard -type f -not -path 'dashboard/node_modules/*' -not -path 'dashboard/generated/*' -not -path 'dashboard/tests/*')
NPM_IN := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix
NPM := $(NPM_IN) dashboard
# More processes than a small machine has processors: each of them waits for more than half of its time.
PYTEST := $(BIN)/pytest -n 5 --dist worksteal

# Without Python's cache of what it compiled, each of the many processes would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help check-machine ready setup run demo kafka test promises style test-page test-long test-soak faults load coverage lint lint-python lint-page screenshots dashboard bench bench-association bench-catalog bench-push bench-alerts bench-delivery bench-query bench-page format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# What this machine lacks is said in one line, with the command that brings it (Debian's; elsewhere the names differ little).
check-machine:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is missing (PYTHON=… chooses one). Install it: sudo apt-get install -y python3-venv"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	    || { echo "Python's venv is missing. Install it: sudo apt-get install -y python3-venv"; exit 2; }

$(VENV): | check-machine
	@$(PYTHON) -m venv .venv

# What runs, and no more.
$(RUNS): pyproject.toml requirements.lock requirements-build.lock | $(VENV)
	@echo "Fetching Python packages …"
	@$(PIP) --require-hashes -r requirements-build.lock
	@$(PIP) --require-hashes --no-build-isolation --use-pep517 -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# The developers' tools as well; Node.js from a wheel, where the machine has none of version 20 or newer.
$(DEVELOPS): requirements-dev.lock dashboard/node.lock $(RUNS)
	@$(PIP) --require-hashes --no-build-isolation --use-pep517 -r requirements-dev.lock
	@$(BIN)/python tools/build_page.py --has-node || $(PIP) --require-hashes -r dashboard/node.lock
	@touch $@

dashboard/node_modules/.installed: dashboard/package-lock.json | $(DEVELOPS)
	@$(NPM) ci --no-progress --loglevel=error
	@touch $@

tests/npm/node_modules/.installed: tests/npm/package-lock.json | $(DEVELOPS)
	@$(NPM_IN) tests/npm ci --no-progress --loglevel=error
	@touch $@

$(PAGE): $(PAGE_SOURCES) tools/build_page.py src/quakestream/seismology/plates.json | $(VENV)
	@echo "Building the page …"
	@$(BIN)/python tools/build_page.py $$([ -e $(DEVELOPS) ] || echo --tidy)

ready: $(RUNS) $(PAGE)

setup: $(DEVELOPS) dashboard/node_modules/.installed tests/npm/node_modules/.installed $(PAGE) ## .venv with everything in it, the dashboard built

dashboard: setup ## the dashboard with live reload on localhost:5173, against a consumer on localhost:3002
	$(NPM) run dev

run: ## both services in one process, no broker: the live USGS feed, or a recording where it can't be reached
	@$(MAKE) --no-print-directory -j2 ready
	@$(BIN)/quakestream up

demo: ## a recorded week of real earthquakes, replayed as an exercise
	@$(MAKE) --no-print-directory -j2 ready
	@$(BIN)/quakestream up --demo

kafka: $(VENV) ## a real Apache Kafka on localhost:29092 (needs Java 17 and Maven); Ctrl-C stops it
	@$(BIN)/python deploy/kafka/run.py --topic earthquake-service-topic

lint: setup ## style, types and the direction of imports
	@$(MAKE) --no-print-directory -j2 -O lint-python lint-page

lint-python:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-page:
	$(NPM) run --silent check

test-page:
	$(NPM) test --silent

test: setup ## style and all promises; starts a real Kafka of its own
	@$(MAKE) --no-print-directory -j2 promises style

# Beside each other: tests wait for brokers, browsers and databases, and style takes what processor that leaves.
promises: $(READ)
	$(PYTEST)

# The tests are compiled once, beside style, in place of once by each process that runs them at the same time.
$(READ): $(DEVELOPS)
	@$(BIN)/pytest --collect-only --quiet >/dev/null || true # what is wrong, the run itself says
	@touch $@

style:
	@nice -n 10 $(MAKE) --no-print-directory lint-python lint-page test-page

test-long: setup $(READ) ## what takes longer: kills, shuffled histories, both databases and both logs, more cases
	QUAKESTREAM_LONG=1 $(PYTEST) -m '(long or sized or hypothesis) and not soak'

test-soak: setup ## what wants a machine for itself: faults on Kafka, a rolling restart, and each safeguard switched off, which must be seen
	QUAKESTREAM_LONG=1 $(PYTEST) -n 0 -m soak

faults: setup ## faults at random moments, with a ledger of its own; FAULTS="--deployment kafka --events 200000 --faults 30 --seed 2"
	$(BIN)/python -m tests.faults $(FAULTS)

load: setup ## an hour of ten times the reference's rate, and its chart; LOAD="--deployment kafka --chart docs/images/load-kafka.svg"
	$(BIN)/python -m tests.faults.load $(LOAD)

# Beside `make test`, which would take longer by it: before Python 3.12 each line that is run is counted in a call.
coverage: setup ## the same tests once more, and how much of each file they run
	$(PYTEST) --cov --cov-report=term:skip-covered

screenshots: setup ## pictures of every view, light and dark, in build/screenshots; two of them for the README
	$(BIN)/python -m tests.browser.screenshots

bench: setup ## speed and latency on both logs, as ratios against a bare Kafka client
	$(BIN)/python -m benchmarks.stream

bench-association: setup ## precision and recall of association against analysts' groupings
	$(BIN)/python -m benchmarks.association

bench-catalog: setup ## ingest with association, on SQLite and PostgreSQL; then a catalogue of a million
	$(BIN)/python -m benchmarks.catalog
	$(BIN)/python -m benchmarks.catalog --million

bench-push: setup ## 10,000 clients of live push, beside nchan; stalled clients; all of them coming back at once
	$(BIN)/python -m benchmarks.push

bench-alerts: setup ## a million subscriptions: matching, memory, rebuild, restart
	$(BIN)/python -m benchmarks.alerts

bench-delivery: setup ## alerts of one earthquake to 100,000 subscriptions, by webhooks on loopback
	$(BIN)/python -m benchmarks.delivery

bench-page: setup ## the page: first sight on a slow line, 50,000 earthquakes, a burst, memory; beside that of before (BEFORE=commit)
	$(BIN)/python -m benchmarks.page $(if $(BEFORE),--before $(BEFORE))

bench-query: setup ## a million earthquakes on both databases: queries, circles; QuakeML beside ObsPy's; feeds by their tags
	$(BIN)/python -m benchmarks.query --keep build/bench-query

format: setup ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what was built; keeps data/
	rm -rf .venv .cache build dist dashboard/node_modules tests/npm/node_modules dashboard/generated src/quakestream/api/dashboard .mypy_cache .ruff_cache .pytest_cache .hypothesis
