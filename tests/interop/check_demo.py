#!/usr/bin/env python3
"""Is a demo's result (evenkeel.diffs/1) what the README promises: the seeded divergences, six on the line and four in the books,
and only those?"""

import json
import sys

SEEDED = {
    ("S3", "BootNotification", "/interval", "300", "900"),
    ("S1", "Authorize", "/idTagInfo/status", "Blocked", "Accepted"),
    ("S1", "Authorize", "/idTagInfo/status", "Accepted", "Invalid"),
    ("S3", "DataTransfer", "/status", "Accepted", "UnknownVendorId"),
    ("S2", "MeterValues", "", "answered", "TypeConstraintViolation"),
    ("S2", "TransactionEvent", "/totalCost", "number", "number"),
    ("S2", "Session", "/energy", "right", "wh-for-kwh"),
    ("S2", "Session", "/start", "right", "time-zone"),
    ("S2", "Session", "", "right", "missing-cdr"),
    ("S2", "Session", "/total_cost", "right", "floor-for-round"),
}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        diffs = json.load(file)
    found = {(f["severity"], f["action"], f["path"], f["legacy"], f["candidate"]) for f in diffs["findings"]}
    for missing in sorted(SEEDED - found):
        print("not found:", *missing)
    for extra in sorted(found - SEEDED):
        print("not seeded:", *extra)
    outcomes = diffs["outcomes"]
    sessions = diffs["sessions"]
    print(f"{len(found)} findings; outcomes {json.dumps(outcomes)}; sessions {json.dumps(sessions)}; {diffs['digest']}")
    if found != SEEDED or not diffs["digest"].startswith("sha256:") or 0 in (outcomes["equal"], sessions["equal"]):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
