#!/usr/bin/env bash
# Starts a hub in a folder of its own, with demo log-ins on the first start. Ctrl-C ends it.
set -euo pipefail
dir=${1:-run}
hub=target/release/gridward
config=$dir/hub.toml

if [ ! -e "$config" ]; then
  "$hub" init "$dir" >/dev/null
  for role in admin lead operator responder viewer; do
    echo demo-password | "$hub" user add "$role" --role "$role" --password-stdin --config "$config" >/dev/null
  done
  "$hub" sources import docs/example-sources.csv --config "$config" >/dev/null
fi
cat <<EOF

Gridward runs in $dir.
  log in as admin, lead, operator, responder or viewer, each with the password demo-password
  send a reading:  mosquitto_pub -p 1883 -t town/river/gauge-1 -q 1 -m 3.2
  Ctrl-C ends it

EOF
exec "$hub" run --config "$config"
