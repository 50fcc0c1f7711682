# Shortcuts; `just` lists them. Everything is done by the two commands of the README.

[private]
default:
    @just --list

# the demo, on http://127.0.0.1:6006
demo:
    cargo run --release

# the inner loop
quick:
    tests/run --quick

# every test
test *steps:
    tests/run {{ steps }}

# all documentation of the code
doc:
    cargo doc --workspace --no-deps --open

# measure a running server
bench *flags:
    cargo run --release -- bench {{ flags }}
