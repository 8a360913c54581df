"""Bundles against third-party backends: does a replay say what direct conversations say?

Usage: replay.py with INTEROP=DIR (see install.sh) and EVENKEEL=path of the binary. For each pair of backends, in both roles:
what they answer a charger differently is known from talking to each directly, without this program. A night through the tap
gives one bundle for each difference. Replayed to a fresh candidate, each must be STILL DIVERGES with the same finding;
replayed to the program that was the legacy, each must be FIXED. Against a port where nobody listens it must be ERROR.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from parity import Backend, Failure, Program, answered, direct, expected, run_charger, run_pairs, start_tap, tap_address


def run(binary, ends, *arguments):
    """Runs the program; it must end as expected. Returns what it said."""
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != ends:
        raise Failure(f"{arguments[0]} ended with {done.returncode}, not {ends}: {done.stdout}{done.stderr}")
    return done.stdout


def record(program, names, binary, recording):
    """One night through the tap."""
    legacy, candidate = Backend(names[0]), Backend(names[1])
    try:
        tap = start_tap(binary, legacy, candidate, recording)
        try:
            messages = run_charger(program, tap.wait_for(tap_address, "the tap to listen"))
            calls = sum(1 for way, message in messages if way == "sent" and message[0] == 2)
            candidate.wait_for(lambda _: answered(candidate) >= calls, f"{calls} mirrored messages")
        finally:
            tap.stop(signal.SIGINT)
    finally:
        legacy.stop()
        candidate.stop()


def replay(binary, ends, bundles, url):
    """The results of all bundles at one backend."""
    results = bundles.parent / "results.json"
    said = run(binary, ends, "replay", bundles, "--target", url, "--results", results, "--json")
    return json.loads(said)["results"]


def at_fresh(name, binary, ends, bundles):
    """The same at a backend that was just started."""
    backend = Backend(name)
    try:
        return replay(binary, ends, bundles, backend.url)
    finally:
        backend.stop()


def verdicts(results):
    return {result["finding"]: result["outcome"]["verdict"] for result in results}


def check(program, names, binary):
    wanted = expected(direct(program, names[0]), direct(program, names[1]))
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    record(program, names, binary, folder / "recording")
    bundles = folder / "bundles"
    run(binary, 0, "bundle", "--out", bundles, folder / "recording")
    made = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(bundles.iterdir())]
    about = {(bundle["finding"]["action"], bundle["finding"]["path"]) for bundle in made}
    if about != wanted:
        raise Failure(f"bundles about {sorted(about)}, differences {sorted(wanted)}")
    still = at_fresh(names[1], binary, 1, bundles)
    if set(verdicts(still).values()) != {"still-diverges"}:
        raise Failure(f"at the candidate: {still}")
    for result in still:
        if result["finding"] not in {one["finding"] for one in result["outcome"]["differs"]}:
            raise Failure(f"another difference than was recorded: {result}")
    fixed = at_fresh(names[0], binary, 0, bundles)
    if set(verdicts(fixed).values()) != {"fixed"}:
        raise Failure(f"at the legacy: {fixed}")
    away = replay(binary, 4, bundles, "ws://127.0.0.1:1/")
    if set(verdicts(away).values()) != {"error"}:
        raise Failure(f"where nobody listens: {away}")
    steps = [len(bundle["steps"]) for bundle in made]
    print(f"  {len(made)} bundles of {steps} steps: STILL DIVERGES at {names[1]}, FIXED at {names[0]}")


def main():
    binary = os.environ.get("EVENKEEL")
    if binary is None:
        print("set EVENKEEL to the binary", file=sys.stderr)
        return 2
    return run_pairs(binary, check)


if __name__ == "__main__":
    sys.exit(main())
