# What people and CI run. `make help` lists it.

PYTHON  ?= python3
PORT    ?= 5000
WORKERS ?= 2
EXAMPLES ?= 20000

VENV := .venv
PY   := $(VENV)/bin/python
# pip from outside, pointed at the environment: so that a system without python3-venv will do.
PIP  := $(PYTHON) -m pip --python $(PY) --disable-pip-version-check
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/pip-compile --quiet --upgrade --generate-hashes \
	--strip-extras --allow-unsafe --all-build-deps --newline lf \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
I18N := mfa_gate/web/translations
CATALOGUES := $(shell find mfa_gate -name '*.po')

.NOTPARALLEL:
.PHONY: help demo test world soak check system red mutants bench study replay screenshots catalogues lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo $(VENV)/.package ## the pharmacist's portal on http://localhost:PORT (5000)
	@$(PY) -m demo_app --port $(PORT)

test: check system ## the checks, then the tests; installs what they need
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not world"

world: $(VENV)/.dev $(VENV)/.package system ## the tests that take longer: browsers, and all that is left on PostgreSQL
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m world

soak: $(VENV)/.dev $(VENV)/.package ## random sequences of what people and attackers do, by the million
	MODEL_EXAMPLES=$(EXAMPLES) $(PY) -m pytest -n $(WORKERS) --timeout 0 -m "not world" tests/scenarios/test_model.py tests/scenarios/test_model_risk.py

check: $(VENV)/.dev $(VENV)/.package ## ruff, mypy and import-linter
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

system: $(VENV)/.dev ## the programs that tests drive: Chromium, Firefox, oathtool, zbarimg
	@tools/system-programs $(PY)

red: $(VENV)/.dev $(VENV)/.package system ## take each defence out in turn; its test must fail
	$(PY) -m tests.red

mutants: $(VENV)/.dev $(VENV)/.package system ## alter the code that decides, a piece at a time; tests must notice
	@$(PIP) install -qq --require-hashes -r requirements/mutants.txt
	$(PY) -m tests.mutants

bench: $(VENV)/.dev $(VENV)/.package ## what the gate costs
	$(PY) -m benchmarks

study: $(VENV)/.dev $(VENV)/.package ## how well thieves are told from owners: docs/risk-report.md, docs/harvest-report.md
	@$(PIP) install -qq --require-hashes -r requirements/study.txt
	$(PY) -m benchmarks.risk
	$(PY) -m benchmarks.harvest

replay: $(VENV)/.dev $(VENV)/.package ## the incident, without and with the gate: docs/replay.md
	$(PY) -m demo_app replay --docs docs

screenshots: $(VENV)/.dev $(VENV)/.package system ## docs/images, taken anew
	$(PY) -m tests.support.screenshots

catalogues: $(VENV)/.dev ## the sentences of code and templates into the catalogues, to be translated
	$(VENV)/bin/pybabel -q extract --no-wrap -F $(I18N)/babel.cfg -k N_ -k t --add-location=file \
		--project=mfa-gate --version=0.1 --msgid-bugs-address='see README' -o $(I18N)/mfa_gate.pot .
	sed -i '2,5d;1s/.*/# English sentences of mfa_gate./' $(I18N)/mfa_gate.pot
	$(VENV)/bin/pybabel -q update --no-wrap -D mfa_gate -i $(I18N)/mfa_gate.pot -d $(I18N) \
		--no-fuzzy-matching --ignore-obsolete

lock: $(VENV)/.dev ## the newest versions into requirements/*.txt
	$(LOCK) --extra async --extra dev --extra flask-login --extra mmdb --extra postgresql --extra prometheus --extra whereip \
		-o requirements/dev.txt pyproject.toml
	$(LOCK) --constraint requirements/dev.txt -o requirements/demo.txt pyproject.toml
	$(LOCK) --extra mutants --constraint requirements/dev.txt -o requirements/mutants.txt pyproject.toml
	$(LOCK) --extra study --constraint requirements/dev.txt -o requirements/study.txt pyproject.toml

clean: ## everything that can be made again
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find mfa_gate demo_app tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	find mfa_gate -name '*.mo' -delete

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, as in: make PYTHON=python3.12")'
	@$(PYTHON) -m pip --version >/dev/null || { echo "pip is needed: apt-get install python3-pip" >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $(VENV)

# The demo's lock holds nothing that the tests' lock does not.
$(VENV)/.demo: requirements/demo.txt | $(PY)
	@if [ $(VENV)/.dev -nt requirements/dev.txt ]; then :; else \
		echo "Installing what the demo needs ..."; $(PIP) install -qq --require-hashes -r $<; fi
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(PY)
	@echo "Installing what tests and checks need ..."
	@$(PIP) install -qq --require-hashes -r $<
	@touch $@

$(VENV)/.package: pyproject.toml hatch_build.py $(CATALOGUES) | $(PY)
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@
