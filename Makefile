# Two commands do all the set-up: `make demo` and `make test`. Both make .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Whoever forbids Python to keep what it compiles would have each command of a test compile mailout.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.PHONY: help demo test collected lint format bench chaos gallery clean

help:
	@echo "make demo    install into .venv and show the whole trip on this machine"
	@echo "make test    install the test extras too and run everything that CI runs"
	@echo "make bench   measure the sender (beside Postfix's smtp-source, if there); ARGS=--quick"
	@echo "make chaos   kill senders, databases and relays mid-send; ARGS=--quick takes minutes"
	@echo "make gallery draw docs/gallery.md's mails and pages; needs Chromium"
	@echo "make format  put the code into its form"
	@echo "make clean   take .venv and caches away"

# A stamp per set of packages: pip runs again only when what it reads has changed. The
# installation is editable, so the code needs no second one after a change.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mailout needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

$(VENV)/installed-for-tests: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/installed

demo: $(VENV)/installed
	@$(BIN)/mailout demo $(ARGS)

# pytest rewrites every test module when it first sees it, and keeps the outcome: here once, beside
# mypy, which has use for one processor only, and not in each of the four processes.
test: $(VENV)/installed-for-tests
	@$(MAKE) --no-print-directory -j2 lint collected
	$(PYTEST) -n 4 --dist worksteal $(ARGS)

collected: $(VENV)/installed-for-tests
	@$(PYTEST) --collect-only -q $(ARGS) > $(VENV)/collected || { cat $(VENV)/collected; exit 1; }

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-for-tests
	$(BIN)/python benchmarks/send.py $(ARGS)
	$(BIN)/python benchmarks/naive.py $(ARGS)
	$(BIN)/python benchmarks/wire.py $(ARGS)
	$(BIN)/python benchmarks/size.py $(ARGS)
	$(BIN)/python benchmarks/one_click.py $(ARGS)
	$(BIN)/python benchmarks/compile.py
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/segments.py $(ARGS)
	$(BIN)/python benchmarks/receive.py $(ARGS)
	$(BIN)/python benchmarks/backup.py $(ARGS)
	$(BIN)/python benchmarks/roster.py $(ARGS)
	$(BIN)/python benchmarks/export.py $(ARGS)

chaos: $(VENV)/installed-for-tests
	$(BIN)/python benchmarks/chaos.py $(ARGS)

gallery: $(VENV)/installed-for-tests
	PYTHONPATH=tests $(BIN)/python tests/browser/gallery.py $(ARGS)

format: $(VENV)/installed-for-tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
