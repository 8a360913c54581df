#!/usr/bin/env python3
"""Checks stand-in refusals against the JSON schemas of the PyPI package `ocpp`.

    cargo run --example refusals | python3 tests/interop/check_refusals.py

Reads JSON Lines {"version", "action", "payload"}; exits 1 if one payload does not fit its response schema.
Needs: pip install ocpp==2.1.0 (which brings jsonschema).
"""

import json
import sys
from pathlib import Path

import jsonschema
import ocpp

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


def schema(version, action):
    folder = Path(ocpp.__file__).parent / FOLDERS[version] / "schemas"
    return json.loads((folder / f"{action}Response.json").read_text(encoding="utf-8-sig"))


def main():
    checked, failed = 0, 0
    for line in sys.stdin:
        item = json.loads(line)
        checked += 1
        try:
            jsonschema.validate(item["payload"], schema(item["version"], item["action"]))
        except jsonschema.ValidationError as error:
            failed += 1
            print(f"{item['version']} {item['action']}: {error.message}")
    print(f"{checked} refusals checked, {failed} invalid")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
