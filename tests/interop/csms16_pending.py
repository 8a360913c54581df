"""An OCPP 1.6 backend on the PyPI package `ocpp` that accepts no charger before it has read its configuration.

Usage: csms16_pending.py [PORT]. A BootNotification is answered Pending; then the backend reads the whole configuration and
asks for another BootNotification with TriggerMessage; that one is Accepted. Prints where it listens, what went over its
sockets, and {"onboarded": keys} or {"refused": why}, as JSON lines.
"""

import asyncio
import sys
from datetime import datetime, timezone

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result

from wire import say, serve


def now():
    return datetime.now(timezone.utc).isoformat()


class Backend(ChargePoint):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = False
        self.keys = None
        self.minted = 700

    @on("BootNotification")
    def boot(self, **_):
        status = "Accepted" if self.keys else "Pending"
        return call_result.BootNotification(current_time=now(), interval=300, status=status)

    @after("BootNotification")
    async def booted(self, **_):
        if self.keys:
            say(onboarded=self.keys)
        elif not self.asked:
            self.asked = True
            await self.onboard()

    async def onboard(self):
        configuration = await self.call(call.GetConfiguration())
        keys = [entry["key"] for entry in (configuration and configuration.configuration_key) or []]
        if not keys:
            say(refused="no configuration")
            return
        self.keys = keys
        trigger = await self.call(call.TriggerMessage(requested_message="BootNotification"))
        if trigger is None or trigger.status != "Accepted":
            say(refused="no BootNotification on request")

    @on("StatusNotification")
    def status(self, **_):
        return call_result.StatusNotification()

    @on("Heartbeat")
    def heartbeat(self):
        return call_result.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, **_):
        return call_result.Authorize(id_tag_info={"status": "Accepted"})

    @on("StartTransaction")
    def started(self, **_):
        self.minted += 1
        return call_result.StartTransaction(transaction_id=self.minted, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    def meter_values(self, **_):
        return call_result.MeterValues()

    @on("StopTransaction")
    def stopped(self, **_):
        return call_result.StopTransaction()


async def main(port):
    await serve(port, "ocpp1.6", "pending", lambda identity, socket: Backend(identity, socket, response_timeout=10))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
