# make run    the studio on http://127.0.0.1:7860
# make test   lint, types and every test, the browser's too
# Both make .venv at the first call; later calls find it by a stamp. PYTHON=python3.12 picks the interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

.PHONY: run test clean

run: $(VENV)/.run-stamp
	$(BIN)/python app.py

test: $(VENV)/.test-stamp
	@browser="$$(tools/browser.sh)" || exit 1; \
	set -ex; \
	$(BIN)/ruff check .; \
	$(BIN)/mypy; \
	CHROMIUM="$$browser" $(BIN)/python -m pytest

$(VENV)/.run-stamp: requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || \
		{ echo "Python 3.10 or newer is needed: name one as in 'make run PYTHON=python3.12'." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.test-stamp: requirements-dev.txt $(VENV)/.run-stamp
	$(PIP) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
