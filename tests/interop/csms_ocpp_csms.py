"""An OCPP 1.6 backend on the PyPI package `ocpp-csms`.

Usage: csms_ocpp_csms.py [PORT]. Prints where it listens, then what went over its sockets, as JSON lines. The package
counts transactions up from the Unix time and answers StopTransaction with an empty payload.
"""

import asyncio
import logging
import sys

from ocpp.v16 import call
from ocpp_csms import BootEvent, CentralSystem
from ocpp_csms.const import AuthorizationStatus

from wire import say

TAGS = {"CARD-GOOD": AuthorizationStatus.ACCEPTED, "CARD-DISPUTED": AuthorizationStatus.ACCEPTED}


class Wire(logging.Handler):
    """Turns the package's wire log into JSON lines."""

    def emit(self, record):
        charger, _, rest = record.getMessage().partition(": ")
        for prefix, way in (("receive message ", "received"), ("send ", "sent")):
            if rest.startswith(prefix):
                say(dir=way, charger=charger, text=rest.removeprefix(prefix))


async def authorize(_charger, tag):
    return TAGS.get(tag, AuthorizationStatus.INVALID)


async def main(port):
    wire = logging.getLogger("ocpp_csms.wire")
    wire.setLevel(logging.DEBUG)
    wire.addHandler(Wire())
    wire.propagate = False
    tasks = set()
    async with CentralSystem(host="127.0.0.1", port=port, heartbeat_interval=300, authorize=authorize) as system:

        def on_event(event):
            if isinstance(event, BootEvent):
                charger = system.charge_points[event.charge_point_id]
                task = asyncio.create_task(charger.async_call(call.GetConfiguration()))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        system.add_listener(on_event)
        say(listening=f"ws://127.0.0.1:{system.port}/central")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
