# Headroom. `make help` lists the targets.

PLANS    := $(basename $(notdir $(wildcard plans/*.toml)))
BINARIES := workers-threaded workers-async loadgen analysis
PACKAGES := common dyno testkit $(BINARIES)
RELEASE  := target/release

.DEFAULT_GOAL := help
.PHONY: help build bench $(addprefix bench-,$(PLANS)) test verify lint doc criterion driver-diff clean

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
	@echo "bench-<plan>    runs a plan: $(PLANS)"

# Each binary by itself: built together, cargo would give the threaded one a Redis client with tokio in it.
build: ## builds the four programs
	$(foreach binary,$(BINARIES),cargo build --release -p $(binary) &&) true

bench: bench-default ## the default comparison: two to three minutes after the build

$(addprefix bench-,$(PLANS)): bench-%: build
	$(RELEASE)/loadgen bench plans/$*.toml

test: ## every test that needs no timing
	$(foreach binary,$(BINARIES),cargo build -p $(binary) &&) true
	$(foreach package,$(PACKAGES),cargo test -p $(package) &&) true

lint: ## formatting, clippy per package
	cargo fmt --all --check
	$(foreach package,$(PACKAGES),cargo clippy -q -p $(package) --all-targets -- -D warnings &&) true

doc: ## the API documentation
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

clean: ## removes what was built; results stay
	cargo clean
