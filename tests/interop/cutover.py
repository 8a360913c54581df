"""Third-party charger and backends: moved in the middle of transactions, do both backends' own records come out right?

Usage: cutover.py with INTEROP=DIR (see install.sh) and EVENKEEL=path of the binary. A transaction that began at the legacy is
stopped at the candidate; after the roll-back one that began at the candidate is stopped at the legacy. Each backend must have
both whole, under its own names, and the list of who bills what must name one backend for each.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from parity import HERE, PYTHON, Backend, Failure, Program, run_all, start_tap, tap_address

PAIRS = [("ocpp-csms", "ocpp-rpc"), ("ocpp-rpc", "ocpp-csms")]


class Charger(Program):
    """A charger that is told what to do."""

    def __init__(self, url):
        super().__init__([PYTHON, str(HERE / "charger16_moving.py"), url, "interop-1"], stdin=subprocess.PIPE)
        self.connections = 0
        self.done = 0
        self.returns()

    def returns(self):
        self.connections += 1
        self.wait_for(lambda lines: {"connected": self.connections} in parsed(lines), "the charger to come back")

    def does(self, *words):
        for word in words:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
            self.done += 1
            self.wait_for(lambda lines: self.done == sum("done" in line for line in parsed(lines)), f"{word} to be done")


def parsed(lines):
    return [json.loads(line) for line in lines]


def evenkeel(binary, *arguments):
    """What a verb prints."""
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failure(f"{arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def sessions(backend):
    """The transactions on a backend's record: by its own name, what it was told of each, in order."""
    starts, found = {}, {}
    for line in parsed(list(backend.lines)):
        if "text" not in line:
            continue
        message = json.loads(line["text"])
        if line["dir"] == "received" and message[2:3] == ["StartTransaction"]:
            starts[message[1]] = message[3]["meterStart"]
        elif line["dir"] == "sent" and message[0] == 3 and message[1] in starts:
            found[message[2]["transactionId"]] = [("start", starts[message[1]])]
        elif line["dir"] == "received" and message[2:3] == ["MeterValues"]:
            register = int(message[3]["meterValue"][0]["sampledValue"][0]["value"])
            told(backend, found, message, ("meter", register))
        elif line["dir"] == "received" and message[2:3] == ["StopTransaction"]:
            told(backend, found, message, ("stop", message[3]["meterStop"]))
    return found


def told(backend, found, message, what):
    name = message[3]["transactionId"]
    if name not in found:
        raise Failure(f"{backend.name} was told of a transaction {name}, which it never began")
    found[name].append(what)


def check(names, binary):
    legacy, candidate = Backend(names[0]), Backend(names[1])
    recording = Path(tempfile.mkdtemp(prefix="interop-")) / "recording"
    wanted = [
        [("start", 1100), ("meter", 1200), ("meter", 1300), ("stop", 1400)],
        [("start", 1500), ("meter", 1600), ("meter", 1700), ("stop", 1800)],
    ]
    try:
        tap = start_tap(binary, legacy, candidate, recording)
        try:
            charger = Charger(tap.wait_for(tap_address, "the tap to listen"))
            charger.does("start", "meter")
            candidate.wait_for(lambda _: sessions(candidate), "the candidate to know the transaction")
            evenkeel(binary, "switch", "--to", "candidate", "--all", "--now", recording)
            charger.returns()
            charger.does("meter", "stop", "start", "meter")
            evenkeel(binary, "switch", "--to", "legacy", "--all", "--roll-back", recording)
            charger.returns()
            charger.does("meter", "stop")
            for backend in (legacy, candidate):
                backend.wait_for(lambda _, it=backend: list(sessions(it).values()) == wanted, f"both whole at {backend.name}")
            charger.end_input()
        finally:
            status = tap.stop(signal.SIGINT)
        if status not in (0, 130):
            raise Failure(f"the tap ended with {status}")
    finally:
        for backend in (legacy, candidate):
            print(f"  {backend.name}: {sessions(backend)}", flush=True)
            backend.stop()
    listed = json.loads(evenkeel(binary, "sessions", "--switched", "--json", recording))["sessions"]
    told_names = [[str(name) for name in sessions(backend)] for backend in (legacy, candidate)]
    found = [(one["legacy"], one["candidate"], one["bills"]) for one in listed]
    expected = list(zip(*told_names, ("candidate", "legacy")))
    if any(one["state"] != "ended" for one in listed):
        raise Failure(f"not known to have ended: {listed}")
    if sorted(found) != sorted(expected):
        raise Failure(f"who bills: {found}, expected {expected}")
    evenkeel(binary, "verify", recording)
    print("  both whole on both, each billed once")


def main():
    binary = os.environ.get("EVENKEEL")
    if binary is None:
        print("set EVENKEEL to the binary", file=sys.stderr)
        return 2
    return run_all((f"legacy {names[0]}, candidate {names[1]}", partial(check, names, binary)) for names in PAIRS)


if __name__ == "__main__":
    sys.exit(main())
