"""Scenarios: the whole library, and against third-party backends, through the tap to two of them and to one alone.

Usage: scenario.py with INTEROP=DIR (see install.sh) and EVENKEEL=path of the binary. The two scenarios in tests/interop/scenarios
name what the two backends are known to differ in (see parity.py, which establishes it without this program): they must pass, and
must fail where the two are the same program. Scenarios of the library must pass at one backend alone. What JUnit says is read by
two programs.
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

from junitparser import JUnitXml
from parity import HERE, Backend, Failure, run_all

LIBRARY = HERE.parent.parent / "scenarios"
OWN = HERE / "scenarios"


def counts(text):
    """Tests, failures and errors as the file says, as its elements are, and as a third-party reader has them."""
    tree = ElementTree.fromstring(text)
    suite = tree.find("testsuite")
    parsed = list(JUnitXml.fromstring(text))
    return {
        "itself": tuple(int(suite.get(name)) for name in ("tests", "failures", "errors")),
        "ElementTree": tuple(len(tree.findall(f".//{name}")) for name in ("testcase", "failure", "error")),
        "junitparser": tuple(sum(getattr(one, name) for one in parsed) for name in ("tests", "failures", "errors")),
    }


def play(binary, ends, *arguments):
    """The results of scenarios, which must end as expected."""
    with tempfile.TemporaryDirectory(prefix="interop-") as folder:
        junit = Path(folder) / "junit.xml"
        command = [binary, "scenario", "--json", "--junit", junit, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != ends:
            raise Failure(f"ended with {done.returncode}, not {ends}: {done.stdout}{done.stderr}")
        results = json.loads(done.stdout)
        seen = counts(junit.read_bytes())
    wanted = (len(results["scenarios"]), results["failed"], results["errors"])
    if set(seen.values()) != {wanted}:
        raise Failure(f"JUnit counts differ: {seen}, results {wanted}")
    return results


def library(binary):
    results = play(binary, 0, LIBRARY)
    print(f"  {results['passed']} passed")


def two(binary, names, ends):
    legacy, candidate = Backend(names[0]), Backend(names[1])
    try:
        results = play(binary, ends, OWN, "--legacy", legacy.url, "--candidate", candidate.url)
        commanded = sum(1 for message in candidate.messages("sent") if message[2] == "GetConfiguration")
    finally:
        legacy.stop()
        candidate.stop()
    failed = [(it["file"], one["expected"], one["got"]) for it in results["scenarios"] for one in it["failures"]]
    if commanded < 2:
        raise Failure(f"the candidate commanded {commanded} times")
    print(f"  {results['passed']} passed, {results['failed']} failed: {len(failed)} things were not as expected")


def one(binary, name, variable, files):
    backend = Backend(name)
    try:
        results = play(
            binary, 0, *(LIBRARY / file for file in files), "--candidate", backend.url, "--set", f"{variable}=CARD-GOOD"
        )
        heard = sum(1 for message in backend.messages("received") if message[0] == 2)
    finally:
        backend.stop()
    if heard == 0 or results["legacy"] is not None:
        raise Failure(f"{heard} messages, legacy {results['legacy']}")
    print(f"  {results['passed']} passed, {heard} messages")


def main():
    binary = os.environ.get("EVENKEEL")
    if binary is None:
        print("set EVENKEEL to the binary", file=sys.stderr)
        return 2
    sessions = ["core/session.toml", "core/offline-session.toml", "core/offline-middle.toml"]
    newer = ["ocpp-2.0.1/transaction.toml", "ocpp-2.0.1/offline-transaction.toml"]
    return run_all(
        [
            ("the library at the built-in backends", partial(library, binary)),
            ("two backends that differ as is known", partial(two, binary, ("ocpp-csms", "ocpp-rpc"), 0)),
            ("the same backend twice", partial(two, binary, ("ocpp-rpc", "ocpp-rpc"), 1)),
            ("ocpp-csms alone", partial(one, binary, "ocpp-csms", "tag", sessions)),
            ("ocpp-rpc alone", partial(one, binary, "ocpp-rpc", "tag", sessions)),
            ("a 2.0.1 backend alone", partial(one, binary, "plain", "token", newer)),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
