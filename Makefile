# From a bare Debian machine: `make demo` judges the reference image, `make test` passes the project's tests.
.PHONY: demo test matrix real lint setup
PYTHON := .venv/bin/python

demo: setup
	@$(PYTHON) -m fixtures judge reference

test: lint
	@$(PYTHON) -m pytest tests

# every fault and every good image, each requirement's proof, as docs/matrix.md; RUNS=3 looks for verdicts that flip
matrix: setup
	@PYTHONPATH=.:tests $(PYTHON) tests/matrix.py --runs $(or $(RUNS),1) $(NAMES)

# stacks from the package registries, built and judged one at a time, as docs/real; NAMES="litserve express" for some
real: setup
	@$(PYTHON) -m fixtures.real $(NAMES)

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

setup:
	@scripts/setup.sh
