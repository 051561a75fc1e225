# Every target installs what it needs into .venv; Python 3.11 or later and make are all that is asked for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint bench install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install  ## nine ways to source a frontier lab, compared
	$(BIN)/capsim warmup
	$(BIN)/capsim compare frontier-lab

test: install  ## the whole test suite
	$(BIN)/capsim warmup
	$(BIN)/python -m pytest -n 2 --dist worksteal tests

lint: install  ## style, types, floors, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check --disable-pip-version-check

bench: install  ## the benchmarks, each with its goal
	$(BIN)/capsim warmup
	$(BIN)/capsim bench
	$(BIN)/python -m pytest benchmarks -q -o python_files='bench_*.py' -o python_functions='bench_* test_*' --benchmark-only

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
