# Quakestream. `make` lists what there is; each target does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.set-up

.PHONY: help setup run demo kafka test lint bench bench-association bench-catalog format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(STAMP) ## .venv with everything in it

$(STAMP): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; PYTHON=… chooses one"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

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

test: lint ## all tests; starts a real Kafka of its own
	$(BIN)/pytest

bench: setup ## speed and latency on both logs, as ratios against a bare Kafka client
	$(BIN)/python -m benchmarks.stream

bench-association: setup ## precision and recall of association against analysts' groupings
	$(BIN)/python -m benchmarks.association

bench-catalog: setup ## ingest with association, on SQLite and PostgreSQL; then a catalogue of a million
	$(BIN)/python -m benchmarks.catalog
	$(BIN)/python -m benchmarks.catalog --million

format: setup ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what was built; keeps data/
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
