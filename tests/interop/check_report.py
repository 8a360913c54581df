#!/usr/bin/env python3
"""Is the archive of a demo's report what the README promises, for programs of others? Usage: check_report.py ARCHIVE DIFFS.json

The manifest, the findings, who is not named, and JUnit and SARIF as two third-party readers and the published schema have them."""

import hashlib
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
import zipfile

import jsonschema
from junitparser import JUnitXml

NAMES = [f"{site}-{number:02}" for site in ("harbour-ac", "station-ac", "airport-dc") for number in range(1, 5)]
TAGS = ["04A1B2C3D4", "04D15EA5E5", "04FACADE01", "04C0FFEE77", "04B10C4ED0"]
SCHEMA = "node/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"


def main():
    archive, diffs = sys.argv[1:]
    with zipfile.ZipFile(archive) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    with open(diffs, encoding="utf-8") as file:
        expected = {finding["id"]: finding["count"] for finding in json.load(file)["findings"]}

    for line in files["MANIFEST"].decode().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256(files[name]).hexdigest() == digest, f"{name} is not what the manifest says"
    report = json.loads(files["report.json"])
    found = {card["id"]: card["exposure"]["count"] for card in report["findings"]}
    assert found == expected, f"the report has {found}, diffs {expected}"
    for name in NAMES + TAGS:
        for file, content in files.items():
            assert name.lower().encode() not in content.lower(), f"{name} stands in {file}"

    tree = ElementTree.fromstring(files["junit.xml"])
    cases = tree.findall(".//testcase")
    assert all(len(case.findall("failure")) <= 1 for case in cases)
    parsed = JUnitXml.fromstring(files["junit.xml"])
    counts = {
        "itself": (int(tree.get("tests")), int(tree.get("failures"))),
        "ElementTree": (len(cases), len(tree.findall(".//failure"))),
        "junitparser": (sum(1 for suite in parsed for _ in suite), sum(suite.failures for suite in parsed)),
    }
    assert len(set(counts.values())) == 1 and counts["itself"][1] == len(expected), f"JUnit counts differ: {counts}"

    sarif = json.loads(files["report.sarif"])
    with open(os.path.join(os.environ["INTEROP"], SCHEMA), encoding="utf-8") as file:
        schema = json.load(file)
    errors = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(sarif)]
    assert not errors, f"SARIF: {errors[:3]}"
    assert len(sarif["runs"][0]["results"]) == len(expected)
    print(f"{len(files)} files, {len(found)} findings, JUnit {counts['itself']}; nobody of the demo is named")


if __name__ == "__main__":
    main()
