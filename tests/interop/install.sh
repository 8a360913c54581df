#!/bin/sh
# Installs the third-party programs that the interop tests talk to, in pinned versions, below DIR.
# Usage: install.sh DIR. Creates DIR/venv (Python) and DIR/node (npm). Does nothing where they are complete.
set -eu

dir=${1:?usage: install.sh DIR}
mkdir -p "$dir"

if [ ! -e "$dir/venv/complete" ]; then
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
        ocpp==2.1.0 ocpp-csms==0.1.0 websockets==15.0.1 kosoku==0.1.0 junitparser==5.0.3
    touch "$dir/venv/complete"
fi

if [ ! -e "$dir/node/complete" ]; then
    mkdir -p "$dir/node"
    npm install --prefix "$dir/node" --silent --no-audit --no-fund --no-save ocpp-rpc@2.2.1 @microsoft/jest-sarif@1.0.0-beta.0
    touch "$dir/node/complete"
fi
