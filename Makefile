# From a bare Debian machine: `make demo` judges the reference image, `make test` passes the project's tests.
.PHONY: demo test lint setup
PYTHON := .venv/bin/python

demo: setup
	@$(PYTHON) -m fixtures judge reference

test: lint
	@$(PYTHON) -m pytest tests

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

setup:
	@scripts/setup.sh
