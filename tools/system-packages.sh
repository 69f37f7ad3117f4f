#!/usr/bin/env bash
# Installs what Qt and a screenless X server need on Debian and Ubuntu; does nothing elsewhere, or where all is there.
set -eu

command -v dpkg-query >/dev/null 2>&1 || exit 0

packages=(
    libgl1 libegl1 libdbus-1-3 libfontconfig1 libxkbcommon0 libx11-6 libfreetype6
    xvfb xauth libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
)

installed() {
    # Names may carry an architecture or the suffix t64 of Debian 13 and Ubuntu 24.04.
    dpkg-query -W -f '${db:Status-Status}\n' "$1" "$1t64" 2>/dev/null | grep -qx installed
}

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
installed libglib2.0-0 || missing+=(libglib2.0-0)
[ "${#missing[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "Missing system packages: please ask an administrator for: apt-get install ${missing[*]}" >&2
    exit 0
fi

"${as_root[@]}" apt-get update -q
for i in "${!missing[@]}"; do
    if [ "${missing[$i]}" = libglib2.0-0 ] && apt-cache show libglib2.0-0t64 >/dev/null 2>&1; then
        missing[i]=libglib2.0-0t64
    fi
done
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
