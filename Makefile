# iradialer: what there is to do, in one word each. `make` alone lists it.
#
# FreeSWITCH is found by FREESWITCH_PREFIX, then pkg-config, then PATH; nothing here needs it but
# test-freeswitch, bench and install.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run build test test-freeswitch bench chaos fuzz schemathesis fmt clippy deny install clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run CALL=+15005550006     calls another number (README has the list)"
	@echo "  make run FLOW=announce         runs another flow of examples/flows"
	@echo "  make run SANDBOX=1             takes the sandbox switch even where FreeSWITCH is found"
	@echo "  make run ONCE=1                ends after the call, with its outcome as the status"
	@echo "  make fuzz MINUTES=60 ONLY=flow KEEP=1      keeps what it finds in ci/fuzz/corpus"
	@echo "  make schemathesis EXAMPLES=200             that many for each path (50)"
	@echo "  make chaos FAULTS=1000 SEED=7 DB=sqlite    or DB=postgres; a seed replays its faults"

run: ## Start everything on this machine, place a call, show what happens, stay up until Ctrl-C
	@ci/need run
	@$(CARGO) run --bin run

build: ## Build the module, the gateway and the sandbox switch
	@ci/need build
	$(CARGO) build --workspace --lib --bins

test: ## Everything: format, lints, every test, the scenario suite on each switch there is
	@ci/need test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) build --workspace --lib --bins
	$(CARGO) test --workspace

test-freeswitch: ## The tests that need a real FreeSWITCH, and a failure where there is none
	@ci/need test-freeswitch
	$(CARGO) build --workspace --lib --bins
	REQUIRE_FREESWITCH=1 $(CARGO) test --workspace --test '*' -- freeswitch

bench: ## What calls, flows and losing none of them cost next to FreeSWITCH's own originate and dialplan, as a table
	@ci/need test-freeswitch
	$(CARGO) run --release --bin bench

chaos: ## Break the system under load as SEED says, and check that no call is lost and nobody dialled twice
	@ci/need chaos
	$(CARGO) run --bin chaos

fuzz: ## Throw MINUTES minutes (5) of anything at each parser: flows, templates, prompt files
	@ci/need build
	ci/fuzz/run

schemathesis: ## Throw at a gateway what its own description of the API lets through, and what it does not
	@ci/need build
	$(CARGO) build --bin iradialer-gateway
	ci/client/schemathesis $(EXAMPLES)

fmt: ## Format the code
	$(CARGO) fmt --all

clippy: ## Lint the code
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## Check licences and advisories of every dependency
	@command -v cargo-deny >/dev/null || { echo "cargo install --locked cargo-deny"; exit 1; }
	$(CARGO) deny check

install: ## Build for production and put the module where FreeSWITCH loads it from
	@ci/need build
	$(CARGO) build --release --workspace --lib --bins
	ci/install

clean: ## Remove what was built
	$(CARGO) clean
