"""An OCPP 1.6 charger on the PyPI package `ocpp` that comes back whenever its connection ends.

Usage: charger16_moving.py URL IDENTITY. Does what its standard input says, one word a line: `start`, `meter`, `stop`; ends with
it. Prints what it sent and received as JSON lines, `{"connected": N}` for its N-th connection and `{"done": WORD}`.
"""

import asyncio
import sys

import websockets
from ocpp.v16 import call

from charger16 import GOOD
from charger16 import Charger as Point
from charger16 import now
from wire import Recorded, complain, say


class Charger:
    """What outlives a connection."""

    def __init__(self):
        self.register = 1000
        self.transaction = None
        self.booted = False

    async def boot(self, point):
        if self.booted:
            return
        boot = await point.call(
            call.BootNotification(charge_point_vendor="Interop", charge_point_model="Moving"), suppress=False
        )
        if boot.status != "Accepted":
            complain(f"boot answered {boot.status}")
        self.booted = True

    async def obey(self, point, word):
        self.register += 100
        if word == "start":
            started = await point.call(
                call.StartTransaction(connector_id=1, id_tag=GOOD, meter_start=self.register, timestamp=now()),
                suppress=False,
            )
            self.transaction = started.transaction_id
        elif word == "meter":
            sample = {"timestamp": now(), "sampledValue": [{"value": str(self.register)}]}
            await point.call(
                call.MeterValues(connector_id=1, transaction_id=self.transaction, meter_value=[sample]),
                suppress=False,
            )
        elif word == "stop":
            await point.call(
                call.StopTransaction(transaction_id=self.transaction, meter_stop=self.register, timestamp=now()),
                suppress=False,
            )
            await point.call(call.Heartbeat(), suppress=False)
        else:
            complain(f"no such word: {word}")
        say(done=word)


async def read(words):
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        words.put_nowait(line.strip())
    words.put_nowait(None)


async def main(url, identity):
    charger, words, connection = Charger(), asyncio.Queue(), 0
    reading = asyncio.create_task(read(words))
    while True:
        async with websockets.connect(f"{url}/{identity}", subprotocols=["ocpp1.6"]) as socket:
            connection += 1
            say(connected=connection)
            point = Point(identity, Recorded(socket, identity), response_timeout=10)
            listening = asyncio.create_task(point.start())
            await charger.boot(point)
            asked = asyncio.create_task(words.get())
            while True:
                await asyncio.wait({asked, listening}, return_when=asyncio.FIRST_COMPLETED)
                if not asked.done():
                    break
                if (word := asked.result()) is None:
                    listening.cancel()
                    await reading
                    return
                await charger.obey(point, word)
                asked = asyncio.create_task(words.get())
            asked.cancel()
            if not isinstance(listening.exception(), websockets.ConnectionClosed):
                complain(f"the connection ended with {listening.exception()!r}")
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
