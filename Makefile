# Everything a user or a developer types. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help setup demo lab rehearse test check bench doctor deploy format models policies clean

help:
	@echo 'make demo      the whole story on this machine, without an AWS account'
	@echo 'make lab       the same lab, left running to play with (Ctrl-C ends it)'
	@echo 'make rehearse  chalice deploy, update and delete, on this machine, each function under its own policy'
	@echo 'make test      every test'
	@echo 'make check     ruff and mypy'
	@echo 'make bench     side by side with the alternatives (docs/benchmarks.md); JOB=probe for one job'
	@echo 'make doctor    what would keep a deployment of STAGE=prod from working'
	@echo 'make deploy    make doctor, then chalice deploy --stage prod with bytecode (STAGE=dev for another)'

# Python packages go into .venv; Debian packages are asked for only when they are missing.
setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.txt requirements.txt lab/setup.sh
	@PYTHON=$(PYTHON) lab/setup.sh $(VENV)
	@touch $@

demo: setup
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab demo

lab: setup
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab

rehearse: setup
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab rehearse

test: setup
	@lab/setup.sh --packages chromium curl libatomic1 pebble  # playwright's own node needs libatomic
	@$(RUN) -m pytest -n auto

check: setup
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

format: setup
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

# JOB=probe measures one job; the others' figures stay.
bench: setup
	@lab/setup.sh --packages
	@$(RUN) -m bench $(JOB)

# STAGE=prod by default
doctor: setup
	@$(RUN) -m tools.doctor $(STAGE)

# STAGE=prod by default; nothing is deployed when the doctor finds something
deploy: setup
	@$(RUN) -m tools.deploy $(STAGE)

# After a change of what the adapters call, or of botocore's version: a test tells.
models: setup
	@$(RUN) -m tools.models

# After a change of .chalice/policy-*.json, or of a stage: a test tells.
policies: setup
	@$(RUN) -m tools.policies

clean:
	rm -rf $(VENV) .lab .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
