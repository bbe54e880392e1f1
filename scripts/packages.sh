#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, where it may; else prints the command that does.
# Asks nothing and does nothing when none is missing.
set -euo pipefail

wanted=(
  # building: FFmpeg's headers and what binds to them
  pkg-config clang libclang-dev libssl-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
  # other people's servers that the hub is tested against
  ffmpeg mosquitto mosquitto-clients gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gir1.2-gst-rtsp-server-1.0 glib-networking python3-gi
  # the console in a browser
  chromium fonts-noto-cjk
)

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
# The toolchains are the reader's choice; they are asked for, never installed.
for tool in cargo node npm python3; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: Gridward needs Rust, Node 20 and Python 3" >&2; exit 1; }
done
[ ${#missing[@]} -eq 0 ] && exit 0

install=(apt-get install -y -q --no-install-recommends -o "DPkg::Lock::Timeout=300" "${missing[@]}")
if [ "$(id -u)" = 0 ]; then as=(); elif sudo -n true 2>/dev/null; then as=(sudo); else
  echo "these Debian packages are missing; install them as root, then try again:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as[@]}" apt-get update -q &&
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  echo "the packages could not be installed; try: ${as[*]} ${install[*]}" >&2
  exit 1
fi
# A broker that Debian starts by itself would hold the port the hub's own broker wants.
if [ -d /run/systemd/system ] && printf '%s\n' "${missing[@]}" | grep -qx mosquitto; then
  "${as[@]}" systemctl disable --now mosquitto 2>/dev/null || true
fi
