# Everything a user or a developer types. `make` alone lists it.
# PYTHON=/path/to/python3.12 makes .venv with that one; without it lab/setup.sh chooses.
export PYTHON
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help setup demo lab rehearse quick test check bench doctor deploy format models policies clean

help:
	@echo 'make demo      the whole story on this machine, without an AWS account'
	@echo 'make lab       the same lab, left running to play with (Ctrl-C ends it)'
	@echo 'make rehearse  chalice deploy, update and delete, on this machine, each function under its own policy'
	@echo 'make quick     in under a minute: whether a line that was changed is wrong'
	@echo 'make test      every test'
	@echo 'make check     ruff and mypy'
	@echo 'make bench     side by side with the alternatives (docs/benchmarks.md); JOB=probe for one job'
	@echo 'make doctor    what would keep a deployment of STAGE=prod from working'
	@echo 'make deploy    make doctor, then chalice deploy --stage prod with bytecode (STAGE=dev for another)'

# Python packages go into .venv: as many as the command needs. Debian packages are asked for only when they are
# missing.
setup: $(VENV)/.dev $(VENV)/.wheels

$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: requirements-%.txt lab/setup.sh
	@lab/setup.sh $(VENV) $*
	@touch $@

$(VENV)/.wheels: requirements.txt lab/setup.sh | $(VENV)/.demo
	@lab/setup.sh --wheels $(VENV)
	@touch $@

demo: $(VENV)/.demo
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab demo

lab: $(VENV)/.demo
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab

rehearse: $(VENV)/.demo $(VENV)/.wheels
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab rehearse

# The types are checked beside the tests.
quick: $(VENV)/.dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy & types=$$!; $(RUN) -m pytest -n auto --dist worksteal --quick; tests=$$?; \
		wait $$types && exit $$tests

test: setup
	@lab/setup.sh --packages chromium curl libatomic1 pebble  # playwright's own node needs libatomic
	@$(RUN) -m pytest -n auto --dist worksteal

check: $(VENV)/.dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

format: $(VENV)/.dev
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

# JOB=probe measures one job; the others' figures stay.
bench: $(VENV)/.bench
	@lab/setup.sh --packages
	@$(RUN) -m bench $(JOB)

# STAGE=prod by default
doctor: $(VENV)/.demo
	@$(RUN) -m tools.doctor $(STAGE)

# STAGE=prod by default; nothing is deployed when the doctor finds something
deploy: $(VENV)/.demo
	@$(RUN) -m tools.deploy $(STAGE)

# After a change of what the adapters call, or of botocore's version: a test tells.
models: $(VENV)/.demo
	@$(RUN) -m tools.models

# After a change of .chalice/policy-*.json, or of a stage: a test tells.
policies: $(VENV)/.demo
	@$(RUN) -m tools.policies

clean:
	rm -rf $(VENV) .lab .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
