# Headroom. `make help` lists the targets.

PLANS    := $(basename $(notdir $(wildcard plans/*.toml)))
BINARIES := workers-threaded workers-async loadgen analysis
PACKAGES := common dyno testkit $(BINARIES)
RELEASE  := target/release

.DEFAULT_GOAL := help
.PHONY: help build bench $(addprefix bench-,$(PLANS)) aa calibrate floor handicap queue test verify lint pure fuzz doc criterion driver-diff schema clean

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
	@echo "bench-<plan>    runs a plan: $(PLANS)"

# Each binary by itself: built together, cargo would give the threaded one a Redis client with tokio in it.
build: ## builds the programs
	$(foreach binary,$(BINARIES),cargo build --release -p $(binary) &&) true

bench: bench-default ## the default comparison: two to three minutes after the build

$(addprefix bench-,$(PLANS)): bench-%: build
	$(RELEASE)/loadgen bench plans/$*.toml

aa: build ## variants against themselves, to see what this host makes of nothing: twenty benches, half an hour; goes on where it was stopped
	$(RELEASE)/loadgen bench plans/aa.toml --aa --benches 20; code=$$?; $(RELEASE)/analysis aa && exit $$code

calibrate: build ## how many tasks a second loadgen can send to each engine on this host; three minutes
	$(RELEASE)/loadgen calibrate

floor: build ## what document and replay cost above a bare loop of the same bytes
	cargo run -q --release -p loadgen --example floor

queue: build ## how fast no-op jobs come out of a queue, beside a bare loop and redis-benchmark; QUEUE=--bullmq=DIR: and BullMQ
	cargo run -q --release -p loadgen --example queue -- $(QUEUE)

handicap: build ## does the instrument see a slowdown of 3, 5, 10 %? 61 benches in an hour and a half, resumable: results/handicap
	cargo run -q --release -p loadgen --example handicap

test: ## every test that needs no timing
	$(foreach binary,$(BINARIES),cargo build -p $(binary) &&) true
	$(foreach package,$(PACKAGES),cargo test -p $(package) &&) true

verify: build ## kill and soak tests, self-tests of the instrument, models of what is shared, the report in a browser: what takes time
	RUSTFLAGS="--cfg loom" cargo test -q --release -p workers-threaded --lib --target-dir target/loom model
	cargo test --release -p loadgen --features verify --test verify -- --test-threads 1 --show-output
	cargo test --release -p analysis --features verify --test browser -- --test-threads 1

lint: pure ## formatting, clippy per package, no async runtime where none belongs
	cargo fmt --all --check
	$(foreach package,$(PACKAGES),cargo clippy -q -p $(package) --all-targets -- -D warnings &&) true

# No async runtime in what both engines share, nor in the threaded one. A file between, so that a cargo that fails fails.
pure:
	mkdir -p target && cargo tree -p common -e normal --prefix none > target/tree.txt
	cargo tree -p workers-threaded -e normal --prefix none >> target/tree.txt
	! grep -E '^(tokio|mio|async-std|smol|futures-executor) ' target/tree.txt

driver-diff: ## writes the difference of the two drivers into the README
	UPDATE_README=1 cargo test -q -p common --test readme

schema: ## writes the JSON Schemas of the reports anew
	UPDATE_SCHEMAS=1 cargo test -q -p common --test schema

criterion: build ## what the pieces of the hot path and of both engines cost, and a whole task in both engines
	cargo bench -p common --bench hot_path -- --quiet
	cargo bench -p workers-threaded --bench pieces -- --quiet && cargo bench -p workers-async --bench pieces -- --quiet
	$(RELEASE)/loadgen bench plans/cost.toml

fuzz: ## changes the reports of the latest bench at random and reads, compares, prints them; ten minutes
	cargo run --profile fuzz -p analysis --example fuzz -- results/latest --seconds 600

doc: ## the API documentation
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

clean: ## removes what was built; results stay
	cargo clean
