# `make report` and `make test`: each sets itself up from a bare clone with python3, pip, venv, make.
PYTHON ?= python3
PIP = .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: report test wordnet clean

report: .venv/default wordnet
	.venv/bin/pytest invariants -q -n 2 --report report.html --results results.json

test: .venv/dev wordnet
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest -q -n 2 --benchmark-skip -m "not exhaustive" geometry fixtures reports tests

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/default: pyproject.toml constraints.txt | .venv/bin/pip
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[default]'
	touch $@

.venv/dev: .venv/default
	$(PIP) --editable '.[default,dev]'
	touch $@

wordnet: .venv/default
	-.venv/bin/python -m geometric_invariants.fixtures.texts.wordnet

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache report.html results.json
