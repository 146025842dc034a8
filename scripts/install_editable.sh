#!/usr/bin/env bash
# Install this repository into an environment so that edits count at once. usage: install_editable.sh PYTHON
#
# The build tools are locked by hash like everything else, and stay out of the environment: pip would fetch whatever
# is newest into an isolated one.
set -euo pipefail
python=$1
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
pip=("$python" -m pip install --disable-pip-version-check -qq)
"${pip[@]}" --require-hashes --target "$tools" -r requirements/build.txt
PYTHONPATH="$tools" "${pip[@]}" --no-deps --no-build-isolation --editable .
