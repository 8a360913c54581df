#!/usr/bin/env python3
"""Checks what the stand-in answers against the JSON schemas of the PyPI package `ocpp`.

    cargo run --example refusals | python3 tests/interop/check_refusals.py
    EVENKEEL_ANSWERS=DIR cargo test --test stand_in_sources every_command
    cat DIR/*.jsonl | python3 tests/interop/check_refusals.py

Reads JSON Lines {"version", "action", "payload"} (an answer) or {"version", "action", "request"} (a command); exits 1 if one
does not fit its schema.
Needs: pip install ocpp==2.1.0 (which brings jsonschema).
"""

import json
import sys
from pathlib import Path

import jsonschema
import ocpp

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


def schema(version, action, suffix):
    folder = Path(ocpp.__file__).parent / FOLDERS[version] / "schemas"
    return json.loads((folder / f"{action}{suffix}.json").read_text(encoding="utf-8-sig"))


def request_schema(version, action):
    try:
        return schema(version, action, "Request")
    except FileNotFoundError:
        # The core of 1.6 names them without the suffix.
        return schema(version, action, "")


def main():
    checked, failed = 0, 0
    for line in sys.stdin:
        item = json.loads(line)
        checked += 1
        try:
            about = item["version"], item["action"]
            if "request" in item:
                jsonschema.validate(item["request"], request_schema(*about))
            else:
                jsonschema.validate(item["payload"], schema(*about, "Response"))
        except jsonschema.ValidationError as error:
            failed += 1
            print(f"{item['version']} {item['action']}: {error.message}")
    print(f"{checked} payloads checked, {failed} invalid")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
