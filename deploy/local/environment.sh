#!/bin/sh
# Makes the virtual environment and installs what a lock names, every file checked by its hash.
# usage: environment.sh PYTHON VENV LOCK
set -eu
python=$1 venv=$2 lock=$3

fail() {
    echo "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "Tenure needs Python 3.11 or newer, and there is no $python here: make run PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Tenure needs Python 3.11 or newer, and $python is $("$python" -c 'import platform; print(platform.python_version())'): make run PYTHON=python3.11"

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "making the Python environment in $venv"
    "$python" -m venv --clear "$venv" ||
        fail "$python cannot make virtual environments: install its venv module (Debian: apt install python3-venv)"
fi
echo "installing $lock (the first time this takes a minute or two)"
# The lock names everything. Where pip looks for what the packages want, it takes the newest version of one that is
# wanted with an extra, finds no hash for it, and stops.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock" ||
    fail "the packages of $lock could not be installed; the lines above say why"
