#!/usr/bin/env bash
# Builds every fuzz target of tests/fuzz and runs each for a while, two at a time. No nightly and no cargo-fuzz: stable
# Rust with LLVM's coverage counters, and libFuzzer as the crate libfuzzer-sys builds it.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]     20 seconds and all targets without
#
# One line a target. An input that breaks one stays in target/fuzz/found/TARGET; run it again with
#   target/fuzz/bin/TARGET target/fuzz/found/TARGET/INPUT
# then shorten it, keep it in tests/fuzz/seeds/TARGET, and mend the code.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=20
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in tests/fuzz/fuzz_targets/*.rs; do
    name=${file##*/}
    targets+=("${name%.rs}")
  done
fi

# The same versions of everything as the hub has; cargo adds what only the targets need.
cp Cargo.lock tests/fuzz/Cargo.lock
out=$PWD/target/fuzz
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
# With a target named, the flags hold for what is fuzzed and not for build scripts and macros.
host=$(rustc -vV | sed -n 's/^host: //p')
bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
(cd tests/fuzz && RUSTFLAGS="$flags" cargo build --release --target "$host" --target-dir "$out" "${bins[@]}")
ln -sfn "$host/release" "$out/bin"

mkdir -p "$out/log"
run() {
  local target=$1 began=$SECONDS
  local corpus=$out/corpus/$target found=$out/found/$target log=$out/log/$target
  mkdir -p "$corpus" "$found"
  local dirs=("$corpus" "tests/fuzz/seeds/$target")
  [ "$target" = rules ] && dirs+=(config/rules)
  local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=16384 -artifact_prefix="$found/")
  [ -e "tests/fuzz/dict/$target" ] && options+=(-dict="tests/fuzz/dict/$target")
  if "$out/bin/$target" "${options[@]}" "${dirs[@]}" >"$log" 2>&1; then
    local tries covered
    tries=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
    covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
    echo "ok    $target: ${tries:-0} tries, ${covered:-cov: 0}, $((SECONDS - began)) s"
  else
    echo "BROKE $target: $(grep -m 1 -E 'panicked at|ERROR: libFuzzer' "$log" || echo 'see the log')"
    grep -A 3 -m 1 'panicked at' "$log" | sed 's/^/      /' || true
    echo "      log $log, input $(grep -o 'Test unit written to .*' "$log" | tail -n 1 | sed 's/.* to //')"
    return 1
  fi
}

failed=0
running=0
for target in "${targets[@]}"; do
  run "$target" &
  running=$((running + 1))
  if [ "$running" -ge 2 ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
