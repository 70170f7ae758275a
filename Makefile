# Casemate: `make demo` and `make test` do everything on a machine with Python, a C++ compiler, make and
# git. The other targets: see `make help`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock
JOBS ?= 2

.PHONY: help setup setup-dev setup-litex demo report test verify formal mutate bench bench-fpga docs lock \
    lint clean

help:  ## Show what there is to make.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Casemate needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'Python has no venv module:' \
	    'on Debian and Ubuntu, apt install python3-venv' >&2; exit 1; }

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/python
	@echo 'Installing Casemate into $(VENV) ...'
	@$(PIP) --editable '.[cpu,sweep]'
	@$(PIP) --editable '.[record]' >$(VENV)/record.log 2>&1 || echo 'Recording of traces is not' \
	    'installed: it needs the Python headers (apt install python3-dev), then make setup'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo 'Installing what the tests need into $(VENV) ...'
	@$(PIP) --editable '.[dev,docs]'
	@touch $@

$(VENV)/.installed-litex: $(VENV)/.installed-dev
	@echo 'Installing LiteX into $(VENV) ...'
	@$(PIP) --editable '.[litex]'
	@touch $@

setup: $(VENV)/.installed  ## Install the command `casemate` into .venv.

setup-dev: $(VENV)/.installed-dev  ## Install what tests, benches and lint need as well.

setup-litex: $(VENV)/.installed-litex  ## Install LiteX, for the example SoC and for lint.

demo: setup  ## Simulate real programs' memory traffic in all modes; boot one on a RISC-V core.
	@mkdir -p build
	$(BIN)/casemate sim sqlite_index --limit 10000 --plot build/demo.png --json build/demo.json
	$(BIN)/casemate compare --limit 8000 --plot build/compare.png --json build/compare.json
	$(BIN)/casemate boot mixed --mode plain --mode full --json build/boot.json

report: setup  ## Make one page of what demo, formal and attack campaigns left: build/report.html.
	@mkdir -p build
	$(BIN)/casemate report --no-run -o build/report.html \
	    $(wildcard build/compare.json build/attack.json build/sweep.json build/formal.xml)

test: setup-dev  ## Run all tests but the long campaigns.
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	CASEMATE_BUILD=quick $(BIN)/pytest -n $(JOBS) --dist worksteal -m 'not verify'

verify: setup-litex  ## Run everything: all variants, deep proofs, many seeds, mutants. Hours.
	$(BIN)/pytest -n $(JOBS) --dist worksteal
	$(BIN)/python -m casemate_sim.mutation
	$(BIN)/python tests/mutation/netlist.py --count 120
	$(BIN)/casemate attack --trials 100000

formal: setup-dev  ## Run the proofs, and show that broken designs fail them: under an hour on two cores.
	$(BIN)/pytest -n $(JOBS) --dist worksteal -v --junitxml build/formal.xml tests/formal -m "not deep"

mutate: setup-dev  ## Break tree, cache and checks in a hundred places; do the tests notice? Hours.
	$(BIN)/python tests/mutation/netlist.py --count 120

bench: setup-dev  ## Measure what issue and docs promise: build/bench.json.
	$(BIN)/python benches/bench.py

bench-fpga: setup-dev  ## Place and route engines, ciphers and peers for ECP5: build/fpga.json. Hours.
	$(BIN)/python benches/fpga.py --jobs $(JOBS)

docs: setup-dev  ## Write the generated parts of the documentation again; build the site: build/site.
	$(BIN)/python -m casemate_sim.cli.document > docs/command_line.md
	$(BIN)/python -m casemate_sim.documents --write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml

lock: $(BIN)/python  ## Pin the newest versions that pyproject.toml allows.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --all-extras --python-version 3.11 \
	    --output-file requirements.lock pyproject.toml

lint: setup-litex  ## Check style, types and import directions.
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

clean:  ## Remove the environment and all results; finished simulator builds stay in ~/.cache/casemate.
	rm -rf $(VENV) build
