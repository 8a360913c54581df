"""Shared by the interop programs: JSON lines about what went over a socket."""

import asyncio
import json
import sys

import websockets


def say(**line):
    """Prints one JSON line to stdout."""
    print(json.dumps(line), flush=True)


def complain(message):
    """Ends the program: something unexpected happened."""
    print(f"unexpected: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)


async def input_ends():
    """Waits until standard input is closed."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def serve(port, subprotocol, path, backend, rewrite=None):
    """Serves chargers for ever, each with its own `backend(identity, socket)`; says where it listens."""

    async def talk(socket):
        identity = socket.request.path.rsplit("/", 1)[-1]
        try:
            await backend(identity, Recorded(socket, identity, rewrite)).start()
        except websockets.ConnectionClosed:
            pass

    async with websockets.serve(talk, "127.0.0.1", port, subprotocols=[subprotocol]) as server:
        say(listening=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/{path}")
        await asyncio.Event().wait()


class Recorded:
    """A websocket with `recv` and `send` as the `ocpp` package wants it; prints each text."""

    def __init__(self, socket, charger=None, rewrite=None):
        self._socket = socket
        self._charger = charger
        self._rewrite = rewrite

    async def recv(self):
        text = await self._socket.recv()
        say(dir="received", charger=self._charger, text=text)
        return text

    async def send(self, text):
        if self._rewrite:
            text = self._rewrite(text)
        say(dir="sent", charger=self._charger, text=text)
        await self._socket.send(text)
