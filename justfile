# The commands of this project. `just` lists them; `.ci/run` and `.ci/long` run the same ones.
# `cargo install just` or `pip install rust-just` installs the program; each recipe can also be typed by hand.

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
python := target / "ci/venv/bin/python"
python_client := target / "ci/python-client/bin/python"
bundle := "crates/local/src/monitor/page/client.js"
sam := target / "ci/sam/bin/python"

_list:
    @just --list --unsorted

# The whole system with simulated entities, on http://localhost:3000
run:
    cargo run -- local --simulate demo

# Every test that needs nothing but Rust
test:
    cargo test --workspace

# Installs the program `entity-stream`
install:
    cargo install --path crates/cli --locked

# The layout of the Rust code
format:
    cargo fmt --all --check
    cargo fmt --check --manifest-path examples/listen/Cargo.toml

# The lints, which are in the root Cargo.toml
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The spelling of code, comments and documentation
spelling:
    {{ target / "ci/venv/bin/typos" }}

# With `--examples`, Cargo chooses the features of `lint`, and does not check every dependency again.

# The Rust documentation
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --lib --bins --examples

# Installs what the recipes below need
tools:
    .ci/tools

# The command, the functions and the scripted server, with the features of `cargo run`
build:
    cargo build --locked

# Selected by test target: with `-p`, Cargo would build the AWS SDK again with other features.

# The tests of the table against a second DynamoDB engine, moto's
second-engine:
    {{ python }} tests/clients/second_engine.py cargo test --workspace --locked --test table --test state

# The built command with other people's clients, and the commands of the documentation
clients *arguments: build
    {{ python }} -m pytest tests/clients {{ arguments }}

# The TypeScript client in Node.js and in Chromium, and the copy of it on the monitor page
typescript: build
    npm test --prefix clients/typescript
    node clients/typescript/scripts/bundle.mjs --check {{ bundle }}

# The TypeScript client in one file, for the monitor page: after a change of the client
page:
    node clients/typescript/scripts/bundle.mjs {{ bundle }}

# The Python client: types, lints, and its tests with the packages that it builds
python *arguments: build
    cd clients/python && {{ python_client }} -m ruff format --check src tests
    cd clients/python && {{ python_client }} -m ruff check src tests
    cd clients/python && {{ python_client }} -m mypy
    cd clients/python && {{ python_client }} -m pytest -n 4 {{ arguments }}

# Copies of a simulated city in three languages, whose connections drop again and again, for so many seconds
mirrors seconds="600": build
    cargo build --locked --workspace --example mirror
    npm run pretest --prefix clients/typescript
    ENTITY_STREAM_MIRROR_SECONDS={{ seconds }} {{ python }} -m pytest -s clients/conformance/mirrors

# The template: lint, policies, and its expansion for every switch
template *arguments: build
    {{ sam }} -m pytest tests/template -m 'not packages and not arm64' {{ arguments }}

# The packages that `sam build` makes; in Docker too where a daemon runs or root can start one
packages *arguments: build
    {{ sam }} -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/template/packages.txt
    .ci/docker
    {{ sam }} -m pytest tests/template -m packages {{ arguments }}

# The packages of the crates, and a build of the client from its package
crates:
    cargo package --workspace --locked --no-verify
    cargo package --locked --package entity-stream-protocol --package entity-stream-client

# A build of the functions for arm64, and their answers under an emulator
arm64: build
    .ci/arm64

# The licences, sources and versions of the dependencies
deny:
    .ci/deny

# Generated input for everything that clients and publishers send, so many seconds for each target
fuzz seconds="15":
    fuzz/run {{ seconds }}

# The simulation of the history, with so many random schedules; `just test` runs 100,000. And thousands of schedules of the real
# functions; `just test` runs 100.
resumes schedules="3000000":
    ENTITY_STREAM_RESUME_SCHEDULES={{ schedules }} cargo test --locked --workspace --test resume no_client
    ENTITY_STREAM_FUNCTION_SCHEDULES=5000 cargo test --locked --workspace --test at_scale resume_schedules
    ENTITY_STREAM_SNAPSHOT_ENTITIES=20000 cargo test --locked --workspace --test end_to_end a_snapshot_of_many

# A hundred notifications of brokers a second, for so many seconds; `just test` sends them for two
notifications seconds="60":
    ENTITY_STREAM_NOTIFY_SECONDS={{ seconds }} cargo test --locked --workspace --test at_scale notifications

# In one command: with `-p`, Cargo would build the dependencies again with the features of each package.

# All benchmarks; BENCHMARKS.md has their figures
benchmarks:
    cargo bench --locked --workspace --no-fail-fast --bench '*'

# Keystrokes on the monitor page, in Chromium without a GPU, while 1,000 events a second arrive
monitor-benchmark:
    cargo build --locked --profile bench --bin entity-stream
    {{ python }} tests/clients/monitor_benchmark.py

# The checks of every change
ci:
    .ci/run

# The checks that take longer
ci-long:
    .ci/long
