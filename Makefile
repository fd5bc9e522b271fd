# Everything a user or a developer types. `make` alone lists it.
# PYTHON=/path/to/python3.12 makes .venv with that one; without it lab/setup.sh chooses.
export PYTHON
# A run starts some hundred processes of Python: a module is compiled once, not by each of them.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help setup demo demo-network picture lab rehearse quick fresh test test-core check bench conform conform-app conform-sweep doctor deploy format models \
	policies clean

help:
	@echo 'make demo      the whole story on this machine, without an AWS account'
	@echo 'make demo-network  a second, network load balancer, and a fleet that moves to it by its name'
	@echo 'make lab       the same lab, left running to play with (Ctrl-C ends it)'
	@echo 'make rehearse  chalice deploy, update and delete, on this machine, each function under its own policy'
	@echo 'make quick     in under a minute: whether a line that was changed is wrong'
	@echo 'make test      every test'
	@echo 'make weather   every refusal of every call of every story; make storm SECONDS=600: random histories'
	@echo 'make fresh     the demo and every test on a bare Debian (RELEASE=trixie or bookworm)'
	@echo 'make check     ruff and mypy'
	@echo 'make audit     whether a fault is known of a library that is deployed (asks PyPI)'
	@echo 'make bench     side by side with the alternatives (docs/benchmarks.md); JOB=probe for one job'
	@echo 'make conform   what we believe of AWS, asked of the lab; of AWS with PROFILE=me REGION=eu-west-1'
	@echo 'make conform-app  the program deployed, used and removed at AWS (PROFILE=me REGION=…), or in the lab'
	@echo 'make conform-sweep  deletes what a run of it that was killed left'
	@echo 'make doctor    what would keep a deployment of STAGE=prod from working'
	@echo 'make deploy    make doctor, then chalice deploy --stage prod with bytecode (STAGE=dev for another)'

# Python packages go into .venv: as many as the command needs. Debian packages are asked for only when they are
# missing.
setup: $(VENV)/.dev $(VENV)/.wheels

$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: requirements-%.txt lab/setup.sh
	@lab/setup.sh $(VENV) $*
	@touch $@

$(VENV)/.wheels: requirements.txt lab/setup.sh | $(VENV)/.demo
	@lab/setup.sh --wheels $(VENV)
	@touch $@

demo: $(VENV)/.demo
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab demo

demo-network: $(VENV)/.demo
	@lab/setup.sh --packages pebble
	@$(RUN) -m lab demo-network

# The README's picture, of the report of the last demo.
picture: setup
	@lab/setup.sh --packages chromium libatomic1
	@$(RUN) -m lab picture

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

# Many tests wait for servers and clocks: two processes more than there are cores.
test: setup
	@lab/setup.sh --packages chromium curl libatomic1 pebble  # playwright's own node needs libatomic
	@$(RUN) -m pytest -n $$(($$(nproc) + 2)) --dist worksteal

# What depends on the version of Python most: the core, and the package as Lambda would run it.
test-core: setup
	@$(RUN) -m pytest -n auto --dist worksteal tests/model tests/x509 tests/tls tests/issuers tests/probe tests/deploy tests/test_*.py

check: $(VENV)/.dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

# Not in CI: it needs the network, and its answer changes without a change here.
.PHONY: audit
audit: $(VENV)/.dev
	@$(RUN) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@$(VENV)/audit/bin/pip-audit --requirement requirements.txt --disable-pip

format: $(VENV)/.dev
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

# Every class of refusal of every call of every story (tests/weather); make test runs some 600 of them.
.PHONY: weather storm
weather: $(VENV)/.dev
	@WEATHER=all $(RUN) -m pytest -n auto --dist worksteal tests/weather

# Random histories (tests/storm), for as long as SECONDS says
storm: $(VENV)/.dev
	@SECONDS=$(or $(SECONDS),300) $(RUN) -m pytest -n 0 tests/storm -k longer

# The README's commands on a bare Debian, in a directory: RELEASE=trixie or bookworm
fresh:
	@lab/fresh.sh "$(RELEASE)"

# JOB=probe measures one job; the others' figures stay.
bench: $(VENV)/.demo
	@lab/setup.sh --packages
	@$(RUN) -m bench $(JOB)

# PROFILE=me REGION=eu-west-1 asks AWS itself; ONLY=elb_listeners,certificates, BESIDE=yes, ARGS="--minutes 30"
conform: $(VENV)/.demo
	@$(RUN) -m conformance $(CONFORM)

# The program itself, deployed to PROFILE's account, used and removed; without PROFILE in the lab
conform-app: $(VENV)/.demo
	@lab/setup.sh --packages pebble
	@$(RUN) -m conformance app $(CONFORM)

# RUN_NAME=… for one run of any age
conform-sweep: $(VENV)/.demo
	@$(RUN) -m conformance sweep $(CONFORM)

CONFORM = $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) $(if $(ONLY),--only $(ONLY)) \
	$(if $(BESIDE),--beside) $(if $(YES),--yes) $(if $(RUN_NAME),--run $(RUN_NAME)) $(ARGS)

# STAGE=prod by default
doctor: $(VENV)/.demo
	@$(RUN) -m tools.doctor $(STAGE)

# STAGE=prod by default; nothing is deployed when the doctor finds something
deploy: $(VENV)/.demo
	@$(RUN) -m tools.deploy $(STAGE)

# After a change of what the adapters call, or of botocore's version: a test fails until then.
models: $(VENV)/.demo
	@$(RUN) -m tools.models

# After a change of .chalice/policy-*.json, or of a stage: a test fails until then.
policies: $(VENV)/.demo
	@$(RUN) -m tools.policies

clean:
	rm -rf $(VENV) .venv-* .lab .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .conform
