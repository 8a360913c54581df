"""The WebSocket conformance suite, directly and through the tap: no verdict may differ.

Usage: autobahn.py [--direct] [--cases GLOB] with INTEROP=DIR (see install.sh), ECHO=path of the `echo` example and
EVENKEEL=path of the binary; run it with DIR/venv/bin/python. Both roles: the suite as client of an echo server, and as
server of an echo client. `--direct` stops before the tap. The candidate of the tap is a port where nobody listens: the
shadow must not matter.
"""

import argparse
import asyncio
import collections
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import kosoku

PATIENCE = 30
WHOLE_RUN = 600


@asynccontextmanager
async def program(*command, stream):
    """A running program that says `listening on ws://...`; gives that URL."""
    pipes = {stream: asyncio.subprocess.PIPE, "stdout" if stream == "stderr" else "stderr": asyncio.subprocess.DEVNULL}
    process = await asyncio.create_subprocess_exec(*command, **pipes)
    output = getattr(process, stream)
    try:
        yield await asyncio.wait_for(address(output), PATIENCE)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        # Read to the end, so that a talkative program never blocks on a full pipe.
        await asyncio.wait_for(output.read(), PATIENCE)
        await process.wait()


async def address(output):
    async for line in output:
        match = re.search(r"listening on (ws://[^/\s]+)", line.decode())
        if match:
            return match.group(1)
    raise SystemExit("a program ended before it listened")


@asynccontextmanager
async def tap(legacy):
    with tempfile.TemporaryDirectory(prefix="autobahn-") as folder:
        command = [os.environ["EVENKEEL"], "tap", "--listen", "127.0.0.1:0", "--legacy", legacy]
        command += ["--candidate", "ws://127.0.0.1:9", "--recording", str(Path(folder) / "recording")]
        async with program(*command, stream="stderr") as url:
            yield url


def verdicts(results):
    return {
        one.case_id: (one.behavior.value, one.behavior_close.value, one.remote_close_code, one.was_clean)
        for one in results
    }


async def server_role(cases, tapped):
    """The suite drives an echo server."""
    async with program(os.environ["ECHO"], "serve", stream="stdout") as url:
        if not tapped:
            return await fuzz(url, cases)
        async with tap(url) as tapped_url:
            return await fuzz(tapped_url, cases)


async def fuzz(url, cases):
    try:
        run = kosoku.run_fuzzingclient(f"{url}/autobahn", cases, None, concurrency=1)
        return verdicts(await asyncio.wait_for(run, WHOLE_RUN))
    except kosoku.FailureError as failure:
        return verdicts(failure.results)


async def client_role(cases, tapped):
    """An echo client runs the suite's cases."""
    try:
        async with kosoku.run_fuzzingserver(cases, None, host="127.0.0.1", port=0) as suite:
            url = f"ws://{suite.address}:{suite.port}"
            if not tapped:
                await drive(url)
            else:
                async with tap(url) as tapped_url:
                    await drive(tapped_url)
            return verdicts(await asyncio.wait_for(suite.get_result(), PATIENCE))
    except kosoku.FailureError as failure:
        return verdicts(failure.results)


async def drive(url):
    process = await asyncio.create_subprocess_exec(os.environ["ECHO"], "drive", url)
    if await asyncio.wait_for(process.wait(), WHOLE_RUN) != 0:
        raise SystemExit("the echo client failed")


async def compare(name, role, cases, direct_only):
    direct = await role(cases, False)
    counts = collections.Counter(behavior for behavior, *_ in direct.values())
    print(f"{name}: {len(direct)} cases directly: {dict(counts)}", flush=True)
    if not direct:
        return 1
    if direct_only:
        return 0
    tapped = await role(cases, True)
    differ = [case for case in {**direct, **tapped} if direct.get(case) != tapped.get(case)]
    print(f"{name}: {len(differ)} of {len(direct)} verdicts differ through the tap", flush=True)
    for case in differ:
        print(f"  {case}: {direct.get(case)} directly, {tapped.get(case)} through the tap")
    return 1 if differ else 0


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--direct", action="store_true", help="only without the tap")
    parser.add_argument("--cases", action="append", help="case ids or globs (default: all)")
    options = parser.parse_args()
    wanted = ["ECHO"] if options.direct else ["ECHO", "EVENKEEL"]
    missing = [name for name in wanted if name not in os.environ]
    if missing:
        print(f"not set: {', '.join(missing)}", file=sys.stderr)
        return 2
    worst = 0
    for name, role in (("suite as client", server_role), ("suite as server", client_role)):
        worst = max(worst, await compare(name, role, options.cases, options.direct))
    return worst


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
