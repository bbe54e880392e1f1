#!/usr/bin/env bash
# Every measurement that needs no browser, one after another; BENCHMARKS.md says what the figures mean. About fifteen
# minutes on two cores, on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

run() {
  echo
  echo "== cargo bench $*"
  cargo bench --quiet "$@"
}

run -p storage --bench history
run -p ingest --bench mqtt_flood
run -p gridward --bench latency
run -p alerting --bench engine
run -p ingest --bench cameras
# As much as two cores carry; without sizes 13,000 of each, for machines of six cores or more.
run -p gridward --bench town -- 4000 4000
