#!/usr/bin/env python3
"""A charger vanishes without a word: does the legacy notice as soon through the tap as it would directly?

A charger in a network namespace of its own connects to a legacy on the other side of a veth pair, once directly and once
through the tap. Then its link is cut, and the clock runs until the legacy's socket fails. Needs root and iproute2; says so
and exits 77 where they are missing. Everything runs on this machine, in namespaces that the program makes and removes.

    EVENKEEL=target/release/evenkeel python3 tests/interop/silent_charger.py
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SPACE = f"evk{os.getpid() % 10000}"
NEAR, FAR = "10.213.0.1", "10.213.0.2"
# The legacy of this test: probes after 1 s of silence, every second, three times.
IDLE, INTERVAL, COUNT, USER_TIMEOUT_MS = 1, 1, 3, 3000
ALLOWED_LATER_S = 1.0

CHARGER = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"GET /CP1 HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
          b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
assert b" 101 " in s.recv(4096)
print("up", flush=True)
time.sleep(60)
"""


def run(*command):
    subprocess.run(command, check=True)


def cut(link_up):
    run("ip", "link", "set", f"{SPACE}a", "up" if link_up else "down")


class Legacy:
    """Accepts one charger and tells when its socket failed."""

    def __init__(self):
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        self.failed_at = None
        self.how = None
        self.done = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        stream, _ = self.listener.accept()
        for option, value in [
            (socket.TCP_KEEPIDLE, IDLE),
            (socket.TCP_KEEPINTVL, INTERVAL),
            (socket.TCP_KEEPCNT, COUNT),
            (socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
        ]:
            stream.setsockopt(socket.IPPROTO_TCP, option, value)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.recv(4096)
        stream.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        try:
            self.how = "closed" if stream.recv(4096) == b"" else "data"
        except OSError as error:
            self.how = str(error)
        self.failed_at = time.monotonic()
        self.done.set()


def noticed(legacy, address, port):
    """Seconds from the cut until the legacy noticed."""
    charger = subprocess.Popen(
        ["ip", "netns", "exec", SPACE, sys.executable, "-c", CHARGER, address, str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert charger.stdout.readline().strip() == "up", "the charger did not get through"
        cut(link_up=False)
        began = time.monotonic()
        assert legacy.done.wait(60), "the legacy never noticed"
        return legacy.failed_at - began, legacy.how
    finally:
        charger.kill()
        charger.wait()
        cut(link_up=True)


def direct():
    legacy = Legacy()
    return noticed(legacy, NEAR, legacy.port)


def through_the_tap(binary, folder):
    legacy = Legacy()
    config = os.path.join(folder, "tap.toml")
    with open(config, "w", encoding="utf-8") as out:
        out.write(
            f'[tap]\nlisten = "{NEAR}:0"\nrecording = "recording"\n'
            f'[legacy]\nurl = "ws://127.0.0.1:{legacy.port}"\n[candidate]\nurl = "ws://127.0.0.1:9"\n'
            f'[keepalive]\nidle = "{IDLE}s"\ninterval = "{INTERVAL}s"\ncount = {COUNT}\n'
            f'user_timeout = "{USER_TIMEOUT_MS}ms"\n'
        )
    tap = subprocess.Popen([binary, "tap", config], stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    try:
        for line in tap.stderr:
            if "listening on ws://" in line:
                port = int(line.split("listening on ws://")[1].split()[0].rsplit(":", 1)[1])
                break
        else:
            raise AssertionError("the tap did not start")
        threading.Thread(target=tap.stderr.read, daemon=True).start()
        return noticed(legacy, NEAR, port)
    finally:
        tap.terminate()
        tap.wait(20)


def main():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("skipped: needs root and iproute2")
        return 77
    binary = os.environ["EVENKEEL"]
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", f"{SPACE}a", "type", "veth", "peer", "name", f"{SPACE}b", "netns", SPACE)
        run("ip", "addr", "add", f"{NEAR}/24", "dev", f"{SPACE}a")
        run("ip", "link", "set", f"{SPACE}a", "up")
        run("ip", "-n", SPACE, "addr", "add", f"{FAR}/24", "dev", f"{SPACE}b")
        run("ip", "-n", SPACE, "link", "set", f"{SPACE}b", "up")
        with tempfile.TemporaryDirectory() as folder:
            alone, how_alone = direct()
            tapped, how_tapped = through_the_tap(binary, folder)
    finally:
        subprocess.run(["ip", "netns", "del", SPACE], check=False)
        subprocess.run(["ip", "link", "del", f"{SPACE}a"], check=False, stderr=subprocess.DEVNULL)
    print(f"direct: noticed after {alone:.2f} s ({how_alone}); through the tap: {tapped:.2f} s ({how_tapped})")
    if tapped > alone + ALLOWED_LATER_S:
        print(f"the tap hides a dead charger for {tapped - alone:.2f} s")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
