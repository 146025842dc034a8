#!/usr/bin/env bash
# See to it that the tests find a Chromium and PostgreSQL's binaries; install them where that is allowed without
# asking, and say what is missing where it is not. Nothing here is needed to run Falconry. Further packages may be
# named: fonts-noto-cjk for Chinese on screenshots.
set -euo pipefail

missing=()
command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null 2>&1 || missing+=(chromium)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null 2>&1 || missing+=(postgresql)
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

give_up() {
    echo "Not installed: ${missing[*]}. $1 The tests that need them are skipped." >&2
    echo "On Debian and Ubuntu: apt-get install ${missing[*]}" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

command -v apt-get >/dev/null 2>&1 || give_up "There is no apt-get here to install them with."
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    give_up "Installing them needs root."
fi

echo "Installing ${missing[*]} for the tests, about a minute …" >&2
# The tests start servers of their own: no cluster of the system's is wanted for them.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; }
apt update && apt install -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" ||
    give_up "apt-get failed."
