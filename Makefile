# Every command there is. Each target installs what it needs from the package registries; nothing is to be done by hand.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Test processes, by default two more than there are cores; one shared control plane serves them all.
JOBS ?= auto
CLUSTER ?= own
ROTATE ?=
# What builds the image, how it is called, and on what: any image with Python 3.13, pip and venv.
ENGINE ?= $(firstword $(foreach each,docker podman buildah,$(shell command -v $(each))))
ENGINE_FLAGS ?=
IMAGE ?= keywright
BASE ?= python:3.13-slim
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/keywright/__init__.py)

.DEFAULT_GOAL := help
.PHONY: help setup check fix test sweep demo bench chart image generate requirements clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.venv/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Keywright needs Python 3.11 or newer; name one: make PYTHON=python3.13" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --require-hashes --requirement requirements/dev.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/ready ## Make the virtual environment in .venv

check: setup ## Format, lint, types, layers, generated files, rules of the house, security: seconds
	@test ! -e operator/__init__.py || { echo "operator/__init__.py must not exist: it would shadow the standard library's operator" >&2; exit 1; }
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m keywright.generate --check
	$(BIN)/pytest --numprocesses 0 --quiet tests/unit/test_house.py
	$(BIN)/bandit --quiet -ll --recursive operator --configfile pyproject.toml

fix: setup ## Format, mend what can be mended, and write the generated files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m keywright.generate

test: setup ## All tests, against real servers: make test ARGS="-k vault"
	$(BIN)/python -m controlplane build
	@$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal $(ARGS) || { test $$? -eq 1 || exit 1; \
	  echo "=== What failed runs once more, alone. A test that passes only alone is unstable: mend it." >&2; \
	  $(BIN)/pytest --numprocesses 0 --last-failed --last-failed-no-failures none -rA --show-capture=no $(ARGS); }

sweep: setup ## Rotations with a fault at every place where they do something outside: half an hour
	$(BIN)/python -m controlplane build
	$(BIN)/pytest tests/sweeping --sweep whole --numprocesses $(JOBS) --dist worksteal $(ARGS)

demo: setup ## The main job in a terminal; ROTATE=1: keys are replaced; CLUSTER=current: where your kube context is
	@$(BIN)/python -m demo --cluster $(CLUSTER) $(if $(filter-out 0,$(ROTATE)),--rotate) $(ARGS)

bench: setup ## Measure against the raw limit in the same run; writes bench/results
	$(BIN)/python -m bench $(ARGS)

chart: setup ## Lint, render, try on a real API server, and package the Helm chart into dist
	$(BIN)/python -m helm lint --strict charts/keywright
	$(BIN)/pytest --numprocesses 0 tests/chart/test_rendering.py tests/chart/test_values.py
	$(BIN)/python -m helm package charts/keywright --destination dist

image: setup ## Build the container image and start it, with docker (its daemon running), podman or buildah
	@test -n "$(ENGINE)" || { echo "make image needs docker, podman or buildah on PATH; or name one: make image ENGINE=/path/to/buildah" >&2; exit 1; }
	@$(ENGINE) info >/dev/null 2>&1 || { echo "$(ENGINE) does not work here; for docker, its daemon must run: see '$(ENGINE) info'" >&2; exit 1; }
	rm -rf build/wheels
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/run.txt --dest build/wheels \
	  --only-binary=:all: --implementation cp --python-version 3.13 --platform manylinux_2_28_$$(uname -m) --platform manylinux2014_$$(uname -m)
	$(BIN)/python -m hatchling build --target wheel --directory build/wheels
	$(ENGINE) build $(ENGINE_FLAGS) --network=none --build-arg BASE=$(BASE) --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) .
	$(BIN)/python -m image $(ENGINE) $(IMAGE):$(VERSION)

generate: setup ## Write what is generated: CRDs, their copies in the chart, reference pages
	$(BIN)/python -m keywright.generate

requirements: setup ## Pin the newest allowed versions, with hashes
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 --group dev pyproject.toml --output-file requirements/dev.txt
	echo uv | $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 - --output-file requirements/uv.txt

clean: ## Remove what the targets made here; the cache of built servers stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
