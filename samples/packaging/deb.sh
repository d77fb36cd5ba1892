#!/bin/sh
# Builds the Debian package into target/debian. Needs cargo-deb (cargo install cargo-deb).
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
# NO_BUILD=1 packs the binary that is there.
[ -n "${NO_BUILD:-}" ] || cargo build --release --locked
# The manual is made by the program.
"$target/release/downtime" man > "$target/release/downtime.1"
cargo deb --no-build --locked "$@"
