"""The WebSocket conformance suite, directly and through the tap: no verdict may differ.

Usage: autobahn.py [--direct] [--cases GLOB] with INTEROP=DIR (see install.sh), ECHO=path of the `echo` example and
EVENKEEL=path of the binary; run it with DIR/venv/bin/python. Both roles: the suite as client of an echo server, and as
server of an echo client. `--direct` stops before the tap. The candidate of the tap is as hostile as can be: the shadow
must not matter.
"""

import argparse
import asyncio
import base64
import collections
import hashlib
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


class Hostile:
    """A candidate that accepts everybody, floods commands, garbage and oversized frames, and never reads."""

    def __init__(self):
        self.handshakes = 0

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            # The charger had left again before its shadow was dialled.
            return
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head).group(1)
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.handshakes += 1
        command = b'[2,"x","Reset",{"type":"Hard"}]'
        attacks = [bytes([0x81, len(command)]) + command] * 50 + [b"\x82\x7f" + (1 << 62).to_bytes(8, "big"), b"\xff" * 4096]
        try:
            for attack in attacks * 20:
                writer.write(attack)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def tap(legacy):
    hostile = Hostile()
    candidate = await asyncio.start_server(hostile.serve, "127.0.0.1", 0)
    port = candidate.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="autobahn-") as folder:
        command = [os.environ["EVENKEEL"], "tap", "--listen", "127.0.0.1:0", "--legacy", legacy]
        command += ["--candidate", f"ws://127.0.0.1:{port}", "--recording", str(Path(folder) / "recording")]
        async with program(*command, stream="stderr") as url:
            yield url
    candidate.close()
    print(f"a hostile candidate was attached to {hostile.handshakes} of these connections", flush=True)
    if hostile.handshakes == 0:
        raise SystemExit("the hostile candidate was never reached: this run proves nothing about it")


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
