#!/bin/sh
# Install uv as FOLDER/bin/uv, in a folder without other programs: install-uv.sh PYTHON FOLDER
set -eu
python=$1
folder=$2

if ! "$python" -m venv --clear "$folder/venv" >/dev/null 2>&1; then
  # Debian and Ubuntu have a separate package for venv.
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "$python cannot create a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
  "$python" -m venv --clear "$folder/venv"
fi
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --requirement "$(dirname "$0")/../../.github/pins/requirements.txt"
mkdir -p "$folder/bin"
ln -sf ../venv/bin/uv "$folder/bin/uv"
