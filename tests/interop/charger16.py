"""An OCPP 1.6 charger on the PyPI package `ocpp`: one whole session, refused tags, one backend command.

Usage: charger16.py URL IDENTITY [linger]. Prints what it sent and received as JSON lines; exits non-zero on anything
unexpected. With `linger` it stays connected until its standard input ends.
"""

import asyncio
import sys
from datetime import datetime, timezone

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from wire import Recorded, complain, input_ends

GOOD, REFUSED, DISPUTED = "CARD-GOOD", "CARD-REFUSED", "CARD-DISPUTED"


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Charger(ChargePoint):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = asyncio.Event()

    @on("GetConfiguration")
    def get_configuration(self, key=None):
        self.asked.set()
        known = {"HeartbeatInterval": "300", "NumberOfConnectors": "1"}
        wanted = key or list(known)
        return call_result.GetConfiguration(
            configuration_key=[
                {"key": name, "readonly": False, "value": known[name]} for name in wanted if name in known
            ]
        )

    async def ask(self, request):
        return await self.call(request, suppress=False)

    async def status(self, connector, status):
        await self.ask(
            call.StatusNotification(connector_id=connector, error_code="NoError", status=status, timestamp=now())
        )

    async def live(self):
        boot = await self.ask(
            call.BootNotification(
                charge_point_vendor="Interop", charge_point_model="One", firmware_version="1.0"
            )
        )
        if boot.status != "Accepted":
            complain(f"boot answered {boot.status}")
        try:
            await asyncio.wait_for(self.asked.wait(), 10)
        except asyncio.TimeoutError:
            complain("no GetConfiguration from the backend")
        await self.status(0, "Available")
        await self.status(1, "Available")
        await self.ask(call.Heartbeat())
        await self.session()
        refused = await self.ask(call.Authorize(id_tag=REFUSED))
        if refused.id_tag_info["status"] == "Accepted":
            complain("the refused tag was accepted")
        # What this one is answered is for the backends to disagree on.
        await self.ask(call.Authorize(id_tag=DISPUTED))

    async def session(self):
        authorized = await self.ask(call.Authorize(id_tag=GOOD))
        if authorized.id_tag_info["status"] != "Accepted":
            complain(f"the good tag was answered {authorized.id_tag_info}")
        await self.status(1, "Preparing")
        started = await self.ask(
            call.StartTransaction(connector_id=1, id_tag=GOOD, meter_start=1000, timestamp=now())
        )
        if started.id_tag_info["status"] != "Accepted":
            complain(f"start was answered {started.id_tag_info}")
        await self.status(1, "Charging")
        for register in (1100, 1250, 1400):
            await self.ask(
                call.MeterValues(
                    connector_id=1,
                    transaction_id=started.transaction_id,
                    meter_value=[
                        {
                            "timestamp": now(),
                            "sampledValue": [
                                {
                                    "value": str(register),
                                    "measurand": "Energy.Active.Import.Register",
                                    "unit": "Wh",
                                }
                            ],
                        }
                    ],
                )
            )
        await self.ask(
            call.StopTransaction(
                transaction_id=started.transaction_id,
                id_tag=GOOD,
                meter_stop=1500,
                timestamp=now(),
                reason="Local",
            )
        )
        await self.status(1, "Available")


async def main(url, identity, linger=None):
    async with websockets.connect(f"{url}/{identity}", subprotocols=["ocpp1.6"]) as socket:
        if socket.subprotocol != "ocpp1.6":
            complain(f"subprotocol {socket.subprotocol}")
        charger = Charger(identity, Recorded(socket, identity), response_timeout=10)
        listening = asyncio.create_task(charger.start())
        await charger.live()
        if linger:
            await input_ends()
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
