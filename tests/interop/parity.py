"""Third-party chargers and backends through the tap: are the findings exactly the differences that are there?

Usage: parity.py [--direct] with INTEROP=DIR (see install.sh) and EVENKEEL=path of the binary. For each pair of backends,
in both roles: the charger first talks to each backend directly, and what they answer differently is what a finding must
say; then it talks through `evenkeel tap`, and `evenkeel diffs --json` must list exactly that. `--direct` stops before the
tap.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTEROP = Path(os.environ.get("INTEROP", "/nonexistent"))
PYTHON = str(INTEROP / "venv/bin/python")
PATIENCE = 20.0
# Differ by nature: the value is never compared.
VOLATILE = {"/currentTime", "/transactionId"}

BACKENDS = {
    "ocpp-csms": [PYTHON, str(HERE / "csms_ocpp_csms.py")],
    "ocpp-rpc": ["node", str(HERE / "csms_rpc.js")],
    "plain": [PYTHON, str(HERE / "csms201.py"), "plain"],
    "other": [PYTHON, str(HERE / "csms201.py"), "other"],
    "auditor": [PYTHON, str(HERE / "csms201.py"), "auditor"],
    "eager": ["node", str(HERE / "csms_eager.js")],
    "pending-1.6": [PYTHON, str(HERE / "csms16_pending.py")],
    "pending-2.0.1": [PYTHON, str(HERE / "csms201_pending.py")],
}
CASES = [
    ("charger16.py", "ocpp-csms", "ocpp-rpc"),
    ("charger16.py", "ocpp-rpc", "ocpp-csms"),
    ("charger201.py", "plain", "other"),
    ("charger201.py", "other", "plain"),
]


class Failure(Exception):
    """A check that did not hold."""


class Program:
    """A running program whose output is collected line by line."""

    def __init__(self, command, stream="stdout", stdin=None):
        environment = dict(os.environ, NODE_PATH=str(INTEROP / "node/node_modules"))
        self.lines = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=stdin,
            stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if stream == "stderr" else None,
        )
        self._reader = threading.Thread(target=self._read, args=(getattr(self._process, stream),), daemon=True)
        self._reader.start()

    def _read(self, stream):
        for line in stream:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, condition, what):
        """Waits until `condition(lines)` gives something true, and returns it."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                found = condition(self.lines)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or (self._process.poll() is not None and not self._reader.is_alive()):
                    raise Failure(f"waited in vain for {what}; last lines: {self.lines[-5:]}")
                self._changed.wait(min(left, 0.5))

    def end_input(self):
        """Closes the program's standard input and waits for its own end."""
        self._process.stdin.close()
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def stop(self, how=signal.SIGTERM):
        """Ends the program and returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status


class Backend(Program):
    """A backend under its name."""

    def __init__(self, name):
        super().__init__(BACKENDS[name])
        self.name = name
        self.url = self.wait_for(listening, f"{name} to listen")

    def messages(self, way):
        """What went over its sockets one way, parsed."""
        lines = [json.loads(line) for line in list(self.lines)]
        return [json.loads(line["text"]) for line in lines if line.get("dir") == way]


def listening(lines):
    for line in lines:
        if line.startswith("{") and "listening" in line:
            return json.loads(line)["listening"]
    return None


def run_charger(program, url):
    """Runs a charger to its end; returns its messages as (way, message)."""
    done = subprocess.run(
        [PYTHON, str(HERE / program), url, "interop-1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise Failure(f"{program} against {url}: {done.stderr.strip()}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(line["dir"], json.loads(line["text"])) for line in lines]


def exchanges(messages):
    """(action, payload sent, answer) for each CALL of the charger, in order."""
    answers = {message[1]: message for way, message in messages if way == "received" and message[0] in (3, 4)}
    calls = [message for way, message in messages if way == "sent" and message[0] == 2]
    return [(call[2], call[3], answers[call[1]]) for call in calls]


def differences(one, two, path=""):
    """The JSON pointers at which two answers differ."""
    if isinstance(one, dict) and isinstance(two, dict):
        found = []
        for key in sorted({*one, *two}):
            here = f"{path}/{key}"
            if here in VOLATILE and key in one and key in two:
                continue
            if key in one and key in two:
                found += differences(one[key], two[key], here)
            else:
                found.append(here)
        return found
    return [] if one == two else [path]


def expected(legacy, candidate):
    """The set of (action, path) in which two direct conversations differ."""
    legacy, candidate = exchanges(legacy), exchanges(candidate)
    if [one[0] for one in legacy] != [one[0] for one in candidate]:
        raise Failure("the charger did not say the same to both backends")
    found = set()
    for (action, _, one), (_, _, two) in zip(legacy, candidate):
        if one[0] != two[0]:
            found.add((action, ""))
        elif one[0] == 3:
            found |= {(action, path) for path in differences(one[2], two[2])}
    return found


def findings(document):
    """The set of (action, path) that `evenkeel diffs --json` lists."""
    text = document.strip()
    if not text:
        return set()
    try:
        parsed = json.loads(text)
        listed = parsed["findings"] if isinstance(parsed, dict) else parsed
    except json.JSONDecodeError:
        listed = [json.loads(line) for line in text.splitlines()]
    return {(one["action"], one.get("path") or "") for one in listed}


def own_transaction(backend):
    """Checks that a 1.6 backend got its own transactionId back, in each message about the transaction."""
    started = {message[1] for message in backend.messages("received") if message[2:3] == ["StartTransaction"]}
    minted = {
        message[2]["transactionId"] for message in backend.messages("sent") if message[0] == 3 and message[1] in started
    }
    used = [
        (message[2], message[3]["transactionId"])
        for message in backend.messages("received")
        if message[0] == 2 and message[2] in ("MeterValues", "StopTransaction")
    ]
    if [action for action, _ in used] != ["MeterValues"] * 3 + ["StopTransaction"]:
        raise Failure(f"{backend.name} got {used}")
    if len(minted) != 1 or {value for _, value in used} != minted:
        raise Failure(f"{backend.name} minted {minted} and got back {used}")


def own_events(backend, transaction):
    """Checks that a 2.0.1 backend got all events of the charger's transaction in order."""
    events = [message[3] for message in backend.messages("received") if message[2:3] == ["TransactionEvent"]]
    if [event["seqNo"] for event in events] != [0, 1, 2, 3, 4]:
        raise Failure(f"{backend.name} got seqNo {[event['seqNo'] for event in events]}")
    if {event["transactionInfo"]["transactionId"] for event in events} != {transaction}:
        raise Failure(f"{backend.name} got another transactionId")


def direct(program, name):
    """One direct conversation with a fresh backend."""
    backend = Backend(name)
    try:
        messages = run_charger(program, backend.url)
        if program == "charger16.py":
            own_transaction(backend)
        return messages
    finally:
        backend.stop()


def through_tap(program, names, binary):
    """The same conversation through the tap; returns what `diffs` lists."""
    legacy, candidate = Backend(names[0]), Backend(names[1])
    recording = Path(tempfile.mkdtemp(prefix="interop-")) / "recording"
    try:
        tap = start_tap(binary, legacy, candidate, recording)
        try:
            url = tap.wait_for(tap_address, "the tap to listen")
            messages = run_charger(program, url)
            calls = sum(1 for way, message in messages if way == "sent" and message[0] == 2)
            candidate.wait_for(lambda _: answered(candidate) >= calls, f"{calls} mirrored messages")
        finally:
            status = tap.stop(signal.SIGINT)
        if status not in (0, 130):
            raise Failure(f"the tap ended with {status}")
        if program == "charger16.py":
            own_transaction(legacy)
            own_transaction(candidate)
        else:
            started = next(call for action, call, _ in exchanges(messages) if action == "TransactionEvent")
            own_events(candidate, started["transactionInfo"]["transactionId"])
    finally:
        legacy.stop()
        candidate.stop()
    return findings(diffs(binary, recording))


def start_tap(binary, legacy, candidate, recording, config=None):
    """Starts a tap between two backends."""
    command = [binary, "tap", *([str(config)] if config else []), "--listen", "127.0.0.1:0"]
    command += ["--legacy", legacy.url, "--candidate", candidate.url, "--recording", str(recording)]
    return Program(command, stream="stderr")


def diffs(binary, recording):
    """What `evenkeel diffs --json` says about a recording, as text."""
    listed = subprocess.run(
        [binary, "diffs", "--json", "--recording", str(recording)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if listed.returncode not in (0, 1):
        raise Failure(f"diffs ended with {listed.returncode}: {listed.stderr.strip()}")
    return listed.stdout


def answered(backend):
    return sum(1 for message in backend.messages("sent") if message[0] in (3, 4))


def tap_address(lines):
    for line in lines:
        match = re.search(r"listening on (ws://\S+)", line)
        if match:
            return match.group(1).rstrip("/")
    return None


def check(program, names, binary):
    wanted = expected(direct(program, names[0]), direct(program, names[1]))
    for action, path in sorted(wanted):
        print(f"  expected: {action} {path}")
    if not wanted:
        raise Failure("these backends do not differ: nothing is tested")
    if binary is None:
        return
    found = through_tap(program, names, binary)
    if found != wanted:
        raise Failure(f"missing {sorted(wanted - found)}, extra {sorted(found - wanted)}")
    print(f"  found exactly these {len(found)}")


def run_all(cases):
    """Runs every case, given as its title and what checks it; answers the exit code."""
    failed = 0
    for title, case in cases:
        print(title, flush=True)
        try:
            case()
        except Failure as failure:
            failed += 1
            print(f"  FAILED: {failure}", flush=True)
    return 1 if failed else 0


def run_pairs(binary, check):
    """Checks every charger with its pair of backends; answers the exit code."""
    return run_all(
        (f"{program}: legacy {names[0]}, candidate {names[1]}", partial(check, program, names, binary))
        for program, *names in CASES
    )


def main():
    binary = None if "--direct" in sys.argv[1:] else os.environ.get("EVENKEEL")
    if binary is None and "--direct" not in sys.argv[1:]:
        print("set EVENKEEL to the binary, or give --direct", file=sys.stderr)
        return 2
    return run_pairs(binary, check)


if __name__ == "__main__":
    sys.exit(main())
