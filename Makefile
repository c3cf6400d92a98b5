# Quakestream. `make` lists what there is; each target does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.set-up

DASHBOARD := src/quakestream/consumer/page/index.html
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix dashboard

.PHONY: help setup run demo kafka test lint screenshots dashboard bench bench-association bench-catalog bench-push bench-alerts bench-delivery format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(STAMP) $(DASHBOARD) ## .venv with everything in it, the dashboard built

# Node.js builds and tests the dashboard; where the machine has none of version 20 or newer, a wheel brings one.
$(STAMP): pyproject.toml requirements-dev.lock dashboard/node.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; PYTHON=… chooses one"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null && command -v npm >/dev/null \
	    || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r dashboard/node.lock
	@touch $(STAMP)

dashboard/node_modules/.installed: dashboard/package-lock.json | $(STAMP)
	$(NPM) ci --no-progress --loglevel=error
	@touch $@

$(DASHBOARD): dashboard/node_modules/.installed $(shell find dashboard -path dashboard/node_modules -prune -o -path dashboard/generated -prune -o -path dashboard/tests -prune -o -type f -print)
	$(NPM) run --silent build -- --logLevel warn

dashboard: setup ## the dashboard with live reload on localhost:5173, against a consumer on localhost:3002
	$(NPM) run dev

run: setup ## both services in one process, no broker: the live USGS feed, or a recording where it can't be reached
	$(BIN)/quakestream up

demo: setup ## a recorded week of real earthquakes, replayed as an exercise
	$(BIN)/quakestream up --demo

kafka: setup ## a real Apache Kafka on localhost:29092 (needs Java 17 and Maven); Ctrl-C stops it
	$(BIN)/python deploy/kafka/run.py

lint: setup ## style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NPM) run --silent check

test: lint ## all tests; starts a real Kafka of its own
	$(NPM) test --silent
	$(BIN)/pytest -n 2 --dist worksteal

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

format: setup ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what was built; keeps data/
	rm -rf .venv .cache build dist dashboard/node_modules dashboard/generated src/quakestream/consumer/page .mypy_cache .ruff_cache .pytest_cache .hypothesis
