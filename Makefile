# Everything is set up by these targets; nothing but Python 3.11, gcc, cmake and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: test test-all check native clean
$(VENV)/.ready: pyproject.toml CMakeLists.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q --group test --group check "scikit-build-core>=0.10"
	$(BIN)/pip install -q --no-build-isolation -e '.[graph]'
	touch $@

native: $(VENV)/.ready
	$(BIN)/pip install -q --no-build-isolation --no-deps -e .

test: native
	$(BIN)/python -m pytest

check: native
	$(BIN)/ruff check analyzer tests fixtures benchmarks
	$(BIN)/ruff format --check analyzer tests fixtures benchmarks
	$(BIN)/mypy

test-all: native
	$(BIN)/python tools/test_all.py --fetch

clean:
	rm -rf build dist $(VENV) analyzer/leakscan/_native*.so
