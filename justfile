# Everyday commands. `just` lists them; CONTRIBUTING.md explains them.

# List the commands.
default:
    @just --list

# Build the program in its release form.
build:
    cargo build --release --locked

# Run the service; options follow, such as `just serve --offline`.
serve *OPTIONS:
    cargo run --release -- serve {{OPTIONS}}

# Run the unit and integration tests; a filter may follow, such as `just test it docs`.
test TARGET='' FILTER='':
    cargo test --locked {{ if TARGET == '' { '' } else { '--test ' + TARGET } }} {{FILTER}}

# Run all tests with all tools, as CI does after the lints.
test-all:
    tests/run

# Run everything that CI runs.
ci:
    .ci/run

# Check the form of the code, and lint it.
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Format the code.
fmt:
    cargo fmt

# Build the documentation of the code and open it.
docs:
    cargo doc --no-deps --open

# Run the benchmarks; measures may follow, such as `just bench --quick start`.
bench *MEASURES:
    benches/run {{MEASURES}}

# Rewrite the generated parts of the documents, and the OpenAPI document.
bless:
    WINTAG_BLESS=1 cargo test --locked --test it -- docs:: openapi::

# Fuzz the parsers: seconds for each target, then names of targets.
fuzz SECONDS='10' *TARGETS:
    tests/fuzz/run {{SECONDS}} {{TARGETS}}

# Build the container image.
image:
    docker build --tag wintag .
