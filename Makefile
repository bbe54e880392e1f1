# The two commands of the README, and what they are made of.
#   make run    installs what is missing, builds, starts the simulated town and the hub
#   make test   installs what is missing, then every test
.PHONY: run test check rust-test e2e fuzz bench packages web picture deny fmt
.NOTPARALLEL:

SHELL := /bin/bash
CARGO ?= cargo
RUN_DIR ?= run
WEB := dashboard/web
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public -type f) $(addprefix $(WEB)/,index.html vite.config.ts svelte.config.js tsconfig.json)

run: packages web
	$(CARGO) build --release --locked -p gridward -p town --bins
	bash scripts/run.sh $(RUN_DIR)

# The cheapest first; the console before the Rust tests, which ask the binary for it.
test: packages check web rust-test fuzz e2e

check: packages $(WEB)/node_modules/.package-lock.json
	$(CARGO) fmt --all -- --check
	cd $(WEB) && npm run --silent check
	$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --log-level error check bans licenses sources; \
	  else echo "no cargo-deny: tests/licences.rs says the same in make test (make deny installs it)"; fi

rust-test: web
	$(CARGO) test --locked --workspace --no-fail-fast

fuzz:
	bash scripts/fuzz.sh

# All of the workspace and its tests, as in rust-test: another choice of features would build everything again.
e2e: web
	$(CARGO) build --locked --workspace --bins --tests
	cd $(WEB) && node --test --test-concurrency=1 --test-reporter=spec e2e/*.test.mjs

bench: packages
	bash scripts/bench.sh

# The README's picture, of a town that lives.
picture: web
	$(CARGO) build --locked -p gridward -p town --bins
	cd $(WEB) && node e2e/picture.mjs

packages:
	@bash scripts/packages.sh

# The console: installed and built only when something it is made of has changed.
web: $(WEB)/dist/index.html

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && npm run --silent build
	@touch $@

deny:
	$(CARGO) install --locked cargo-deny

fmt:
	$(CARGO) fmt --all
