"""Candidates that command a charger before they accept it, on third-party software, in shadow.

Usage: onboarding.py with INTEROP=DIR (see install.sh) and EVENKEEL=path of the binary. In each case a third-party charger
lives one whole session at the legacy backend, while the candidate wants to read or reboot the charger first: what it must
get is what the charger has told its own backend; where nobody ever asked, a finding must say what is missing.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from ocpp.charge_point import snake_to_camel_case

from charger201 import INVENTORY
from parity import HERE, PYTHON, Backend, Failure, Program, diffs, own_events, own_transaction, run_all, start_tap, tap_address

VARIABLES = [f"{row['component']['name']}.{row['variable']['name']}" for part in INVENTORY for row in part]


def outcome(backend, visit):
    """What a candidate says about its nth onboarding."""
    said = [json.loads(line) for line in backend.lines]
    said = [line for line in said if "onboarded" in line or "refused" in line]
    return said[visit] if len(said) > visit else None


class Night:
    """A legacy backend, a candidate and a tap between them, and a recording that stays."""

    def __init__(self, binary, legacy, candidate, models=None):
        self.folder = Path(tempfile.mkdtemp(prefix="interop-"))
        self.recording = self.folder / "recording"
        self.binary = binary
        self.legacy, self.candidate = Backend(legacy), Backend(candidate)
        self.tap = start_tap(binary, self.legacy, self.candidate, self.recording, self.config(models) if models else None)
        self.url = self.tap.wait_for(tap_address, "the tap to listen")

    def visit(self, charger, number=0, mirrored=None):
        """A charger's visit: it lives its session and stays until the candidate has made up its mind."""
        program = Program([PYTHON, str(HERE / charger), self.url, "interop-1", "linger"], stdin=subprocess.PIPE)
        said = self.candidate.wait_for(lambda _: outcome(self.candidate, number), "the candidate's onboarding")
        if mirrored:
            self.candidate.wait_for(lambda _: mirrored(self.candidate), "the held messages")
        if program.end_input() != 0:
            raise Failure(f"{charger} was disturbed")
        return said

    def config(self, models):
        """A configuration that supplies what is known about chargers."""
        known = self.folder / "chargers.json"
        known.write_text(json.dumps({"chargers": models}), encoding="utf-8")
        config = self.folder / "evenkeel.toml"
        lines = [
            f"[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"{self.recording}\"",
            f"[legacy]\nurl = \"{self.legacy.url}\"",
            f"[candidate]\nurl = \"{self.candidate.url}\"",
            f"[shadow]\nmodels = \"{known}\"",
        ]
        config.write_text("\n".join(lines), encoding="utf-8")
        return config

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tap.stop(signal.SIGINT)
        self.legacy.stop()
        self.candidate.stop()

    def report(self):
        """Stops the tap and returns what `diffs` says."""
        status = self.tap.stop(signal.SIGINT)
        if status not in (0, 130):
            raise Failure(f"the tap ended with {status}")
        return json.loads(diffs(self.binary, self.recording))


def got(backend, action):
    """How many CALLs of this action a backend has answered."""
    asked = {message[1] for message in backend.messages("received") if message[2:3] == [action]}
    return sum(1 for message in backend.messages("sent") if message[0] == 3 and message[1] in asked)


def expect(condition, what):
    if not condition:
        raise Failure(what)


def reads_before_boot(binary):
    """The first visit can be answered only with what the traffic shows, the second with what the legacy has read."""
    with Night(binary, "ocpp-csms", "eager") as night:
        first = night.visit("charger16.py", 0, lambda backend: got(backend, "StopTransaction") == 1)
        expect(first.get("onboarded"), f"first visit: {first}")
        second = night.visit("charger16.py", 1, lambda backend: got(backend, "StopTransaction") == 2)
        expect({"HeartbeatInterval", "NumberOfConnectors"} <= set(second.get("onboarded", [])), f"second visit: {second}")
        report = night.report()
        expect(sources(report, "GetConfiguration").keys() <= {"reuse", "model"}, f"sources: {report['stand_in']}")


def holds_pending_until_read(binary):
    """Pending, GetConfiguration, TriggerMessage, Accepted; then the held session, in order, with the candidate's own id."""
    with Night(binary, "ocpp-csms", "pending-1.6") as night:
        said = night.visit("charger16.py", 0, lambda backend: got(backend, "StopTransaction") == 1)
        expect("onboarded" in said, f"onboarding: {said}")
        own_transaction(night.candidate)
        report = night.report()
        expect(sources(report, "TriggerMessage"), f"sources: {report['stand_in']}")


def wants_a_report_that_the_legacy_reads_too(binary):
    with Night(binary, "auditor", "pending-2.0.1") as night:
        said = night.visit("charger201.py", 0, lambda backend: got(backend, "TransactionEvent") == 5)
        expect(said.get("onboarded") == VARIABLES, f"onboarding: {said}")
        transaction = next(
            message[3]["transactionInfo"]["transactionId"]
            for message in night.legacy.messages("received")
            if message[2:3] == ["TransactionEvent"]
        )
        own_events(night.candidate, transaction)
        night.report()


def wants_a_report_that_nobody_has(binary):
    """The truth allows no answer: the finding says what is missing and how to supply it."""
    with Night(binary, "plain", "pending-2.0.1") as night:
        said = night.visit("charger201.py")
        expect(said == {"refused": "Rejected"}, f"onboarding: {said}")
        titles = [finding["title"] for finding in night.report()["findings"]]
        expect(len(titles) == 1, f"findings: {titles}")
        for word in ("GetBaseReport", "FullInventory", "shadow.models"):
            expect(word in titles[0], f"no word of {word} in {titles}")


def wants_a_report_that_the_operator_supplies(binary):
    """As the finding says: with the inventory from a file the candidate takes the charger."""
    with Night(binary, "plain", "pending-2.0.1", {"interop-1": {"reports": {"FullInventory": as_sent(INVENTORY)}}}) as night:
        said = night.visit("charger201.py", 0, lambda backend: got(backend, "TransactionEvent") == 5)
        expect(said.get("onboarded") == VARIABLES, f"onboarding: {said}")
        report = night.report()
        expect(sources(report, "GetBaseReport") == {"model": 1}, f"sources: {report['stand_in']}")


def as_sent(inventory):
    """The elements of the charger's reports as they are on the wire."""
    return [snake_to_camel_case(row) for part in inventory for row in part]


CASES = [
    reads_before_boot,
    holds_pending_until_read,
    wants_a_report_that_the_legacy_reads_too,
    wants_a_report_that_nobody_has,
    wants_a_report_that_the_operator_supplies,
]


def sources(report, action):
    """How often the stand-in answered this action, by source."""
    return {row["source"]: row["count"] for row in report["stand_in"] if row["action"] == action}


def main():
    binary = os.environ.get("EVENKEEL")
    if binary is None:
        print("set EVENKEEL to the binary", file=sys.stderr)
        return 2
    return run_all((case.__name__.replace("_", " "), partial(case, binary)) for case in CASES)


if __name__ == "__main__":
    sys.exit(main())
