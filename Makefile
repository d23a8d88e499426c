# `make` lists the targets. Everything is installed into .venv from requirements/dev.txt, with uv where it is found.

VENV := .venv
BIN := $(VENV)/bin
UV ?= $(shell command -v uv 2>/dev/null)
# The system's Python, from 3.11 on, where it can make an environment: it is built with optimization, which
# one compiled as it comes is not. Else the newest on the path.
PYTHON ?= $(shell for p in /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
	python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; $(if $(UV),,import ensurepip; )sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	command -v $$p && break; done)
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo serve test browser screenshots tour messages check format bench crash compare docs gallery-figures lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Create .venv with everything in it

$(INSTALLED): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Palier needs Python 3.11 or newer; install it, or run make PYTHON=/path/to/python."; exit 2; }
ifneq ($(UV),)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

demo: $(INSTALLED) ## A grocery's history, imported, verified and served on http://127.0.0.1:8000
	$(BIN)/palier demo

serve: $(INSTALLED) ## Database, web and worker on http://127.0.0.1:8000
	$(BIN)/palier serve

test: $(INSTALLED) browser ## The tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not crash and not guard"

browser: # Pages are tried in a real browser; where none is found and none can be installed, those tests are skipped.
	@command -v chromium chromium-browser google-chrome >/dev/null || { test "$$(id -u)" = 0 && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
		echo "No Chromium: tests of pages in a browser are skipped; install the package chromium to run them."

screenshots: $(INSTALLED) browser ## Pictures of the pages over the demo's data, in build/screenshots
	$(BIN)/palier demo --no-serve --json >/dev/null
	$(BIN)/python -m tests.web.screenshots

tour: $(INSTALLED) browser ## Every page in four looks, checked, with pictures in build/tour; long journeys in all of theirs
	PALIER_TOUR=build/tour $(BIN)/python -m pytest -q -n 0 tests/web/test_tour.py tests/web/test_*_journey.py \
		tests/web/test_setting_up.py

messages: $(INSTALLED) ## The French of the pages: gather, compile, list what is missing
	$(BIN)/python -m tests.web.messages

check: $(INSTALLED) ## Format, lint, types, layers, migrations, templates, and the guards
	$(BIN)/ruff format --check src tests $(wildcard bench)
	$(BIN)/ruff check src tests $(wildcard bench)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -W ignore::RuntimeWarning -m django makemigrations --check --dry-run --settings palier.site.settings
	$(BIN)/djlint --quiet --lint src/palier
	$(BIN)/python -m pytest -q -m guard

format: $(INSTALLED) ## Format the code and repair what can be repaired
	$(BIN)/ruff check --fix src tests $(wildcard bench)
	$(BIN)/ruff format src tests $(wildcard bench)

bench: $(INSTALLED) ## Speed, each figure beside its floor
	$(BIN)/python -m bench

crash: $(INSTALLED) ## A long run of kills under load
	$(BIN)/python -m pytest -m crash -n 0

compare: $(INSTALLED) ## A long random comparison of the engine with its independent model, and of orders of arrival
	MODEL_EXAMPLES=1500 ENGINE_EXAMPLES=20000 ARRIVAL_EXAMPLES=6000 MECHANICS_EXAMPLES=1500 \
		$(BIN)/python -m pytest -n 2 tests/model tests/engine/test_against_model.py tests/engine/test_arrival.py \
		tests/engine/test_straight.py tests/engine/test_mechanics.py tests/engine/test_mechanics_model.py \
		tests/engine/test_mechanics_shared.py

docs: $(INSTALLED) ## The reference pages that are made from the code
	$(BIN)/python docs/generate.py

gallery-figures: $(INSTALLED) ## What each program of the gallery would have brought over a grocery's year
	$(BIN)/python -m bench.gallery

lock: ## Renew requirements/*.txt from pyproject.toml (needs uv)
	$(UV) pip compile pyproject.toml --extra demo --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements/runtime.txt
	$(UV) pip compile pyproject.toml --extra demo --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements/dev.txt

clean: ## Remove .venv and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
