#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, where it may; else prints the command that does.
set -euo pipefail

wanted=(pkg-config clang libclang-dev libssl-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
  ffmpeg mosquitto mosquitto-clients gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gir1.2-gst-rtsp-server-1.0 python3-gi)

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then as=(); elif sudo -n true 2>/dev/null; then as=(sudo); else
  echo "these Debian packages are missing; install them as root, then try again:" >&2
  echo "  apt-get update && $install" >&2
  exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as[@]}" apt-get update -q
# shellcheck disable=SC2086
"${as[@]}" env DEBIAN_FRONTEND=noninteractive $install
# A broker that Debian starts by itself would hold the port the hub's own broker wants.
if command -v systemctl >/dev/null && printf '%s\n' "${missing[@]}" | grep -qx mosquitto; then
  "${as[@]}" systemctl disable --now mosquitto 2>/dev/null || true
fi
