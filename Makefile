# The two commands of the README, and what they are made of.
#   make run    installs what is missing, builds, starts the hub
#   make test   installs what is missing, then every test
.PHONY: run test check bench packages fmt clean-run

SHELL := /bin/bash
CARGO ?= cargo
RUN_DIR ?= run

run: packages
	$(CARGO) build --release --bin gridward
	bash scripts/run.sh $(RUN_DIR)

test: packages check
	$(CARGO) test --workspace --no-fail-fast

check: packages
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: packages
	$(CARGO) bench -p storage --bench history

packages:
	bash scripts/packages.sh

fmt:
	$(CARGO) fmt --all
