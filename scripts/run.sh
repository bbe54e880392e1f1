#!/usr/bin/env bash
# Starts the simulated town and a hub that watches over it, in a folder of their own. Ctrl-C ends both.
#   scripts/run.sh [DIR]      DIR is kept: the next start goes on where this one ended
# Other ports:    GRIDWARD_HTTP__BIND, GRIDWARD_MQTT__EMBEDDED, TOWN_RTSP, TOWN_CONTROL (each ADDRESS:PORT)
# Other programs: BIN_DIR (target/release); TOWN_ARGS are handed to `town run`, as "--cycle-s 600 --load 500".
set -euo pipefail

dir=${1:-run}
bin=${BIN_DIR:-target/release}
hub=$bin/gridward
town=$bin/town
config=$dir/hub.toml
password=demo-password
roles=(admin lead operator responder viewer)
hub_pid= town_pid=

say() { printf '%s\n' "$*" >&2; }
fail() { say "run: $*"; exit 1; }

# Ends what was started here, by pid; the hub drains for up to ten seconds.
finish() {
  trap - EXIT INT TERM
  local pid
  for pid in $hub_pid $town_pid; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in $hub_pid $town_pid; do wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT
trap 'say ""; say "ending"; finish; exit 0' INT TERM

# The value of a key in hub.toml, whatever its section: the keys asked for are unique.
setting() { sed -n "s/^$1 = \"\(.*\)\".*/\1/p" "$config" | head -n 1; }

# need_port ADDRESS:PORT WHAT VARIABLE
need_port() {
  local host=${1%:*} port=${1##*:} who
  [ "$port" = 0 ] && return
  [ "$host" = 0.0.0.0 ] && host=127.0.0.1
  (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null || return 0
  who=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (pid \2)/p' | head -n 1)
  say "run: port $port, for $2, is taken${who:- by another program}."
  say "     End that program, or choose another port:"
  say "       $3=${1%:*}:$((port + 1)) make run"
  exit 1
}

# wait_ready PID OUT LOG NAME: until OUT says ready; shows progress from LOG.
wait_ready() {
  local shown=0 lines
  until grep -q '^ready ' "$2" 2>/dev/null; do
    if ! kill -0 "$1" 2>/dev/null; then
      tail -n 5 "$3" >&2
      fail "the $4 did not start; all of what it said is in $3"
    fi
    lines=$(grep -c '' "$3" 2>/dev/null || true)
    if [ "${lines:-0}" -gt "$shown" ]; then
      sed -n "$((shown + 1)),${lines}p" "$3" | grep '^town: ' >&2 || true
      shown=$lines
    fi
    sleep 0.1
  done
}

for program in "$hub" "$town"; do
  [ -x "$program" ] || fail "$program is missing; build it with: cargo build --release -p gridward -p town"
done
mkdir -p "$dir"

# The hub's settings and demo people, once.
if [ ! -e "$config" ]; then
  "$hub" init "$dir" >/dev/null
  sed -i -e 's/^# *map = .*/map = "map.geojson"/' -e 's/^town_name = ""/town_name = "云汀镇"/' "$config"
fi
[ -n "$(setting map)" ] || say "run: $config names no map; the console will show none"
if [ ! -e "$dir/.people" ]; then
  for role in "${roles[@]}"; do
    said=$("$hub" user add "$role" --role "$role" --password-stdin --config "$config" <<<"$password" 2>&1) ||
      [[ $said == *"exists already"* ]] || fail "$said"
  done
  touch "$dir/.people"
fi

http=${GRIDWARD_HTTP__BIND:-$(setting bind)}
mqtt=${GRIDWARD_MQTT__EMBEDDED:-$(setting embedded)}
rtsp=${TOWN_RTSP:-127.0.0.1:8554}
control=${TOWN_CONTROL:-127.0.0.1:8090}
[ -n "$mqtt" ] || fail "$config has no embedded broker; the town's sensors need one (GRIDWARD_MQTT__EMBEDDED=127.0.0.1:1883)"
need_port "$http" "the console" GRIDWARD_HTTP__BIND
need_port "$mqtt" "the hub's broker" GRIDWARD_MQTT__EMBEDDED
need_port "$rtsp" "the town's cameras" TOWN_RTSP
need_port "$control" "the town's control address" TOWN_CONTROL

# setsid: Ctrl-C reaches this script alone, which ends them in order.
: >"$dir/town.out"
: >"$dir/town.log"
# shellcheck disable=SC2086
setsid "$town" run --dir "$dir" --rtsp "$rtsp" --mqtt "$mqtt" --control "$control" ${TOWN_ARGS:-} \
  >"$dir/town.out" 2>"$dir/town.log" </dev/null &
town_pid=$!
wait_ready "$town_pid" "$dir/town.out" "$dir/town.log" town
control=$(sed -n 's/^ready .*control=//p' "$dir/town.out")

# The sources, again only when the town has others: what was changed in the console stays.
sum=$(cat "$dir/sources.csv" "$dir/grids.json" | sha256sum)
if [ "$sum" != "$(cat "$dir/.imported" 2>/dev/null)" ]; then
  "$hub" sources import "$dir/sources.csv" --grids "$dir/grids.json" --config "$config" >/dev/null
  printf '%s\n' "$sum" >"$dir/.imported"
fi

: >"$dir/hub.out"
setsid "$hub" run --config "$config" >"$dir/hub.out" 2>>"$dir/hub.log" </dev/null &
hub_pid=$!
wait_ready "$hub_pid" "$dir/hub.out" "$dir/hub.log" hub
console=$(sed -n 's/^ready //p' "$dir/hub.out")

cat <<END

  Gridward watches over the fictional town 云汀镇 (虚构示例).

  console      $console
  log in as    $(printf '%s, ' "${roles[@]}" | sed 's/, $//'); the password of each is $password
  what comes   within two minutes a flood, a fire and a covered camera; all repeats every few minutes
  your turn    curl -X POST $control/events/fire      also: flood cover door silence dropout
               curl $control/state
  logs         $dir/hub.log $dir/town.log
  end          Ctrl-C

END

ended=0
wait -n "$hub_pid" "$town_pid" || ended=$?
if kill -0 "$hub_pid" 2>/dev/null; then
  tail -n 5 "$dir/town.log" >&2
  fail "the town ended by itself ($ended); see $dir/town.log"
fi
tail -n 5 "$dir/hub.log" >&2
fail "the hub ended by itself ($ended); see $dir/hub.log"
