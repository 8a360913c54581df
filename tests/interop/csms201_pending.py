"""An OCPP 2.0.1 backend on the PyPI package `ocpp` that accepts no charger before it holds its full inventory.

Usage: csms201_pending.py [PORT]. A BootNotification is answered Pending with an interval of one second; then the backend
asks for the base report FullInventory with request id 0 and takes the NotifyReport series; the BootNotification after its
last part is Accepted. Prints where it listens, what went over its sockets, and {"onboarded": variables} or {"refused":
status}, as JSON lines.
"""

import asyncio
import sys
from datetime import datetime, timezone

from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result

from wire import say, serve


def now():
    return datetime.now(timezone.utc).isoformat()


class Backend(ChargePoint):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = False
        self.variables = []
        self.parts = 0
        self.complete = False

    @on("BootNotification")
    def boot(self, **_):
        status = "Accepted" if self.complete else "Pending"
        return call_result.BootNotification(current_time=now(), interval=1, status=status)

    @after("BootNotification")
    async def booted(self, **_):
        if self.complete:
            say(onboarded=self.variables)
        elif not self.asked:
            self.asked = True
            report = await self.call(call.GetBaseReport(request_id=0, report_base="FullInventory"))
            if report is None or report.status != "Accepted":
                say(refused=report.status if report else "no answer")

    @on("NotifyReport")
    def report(self, request_id, seq_no, report_data=None, tbc=False, **_):
        if request_id != 0 or seq_no != self.parts:
            say(refused=f"part {seq_no} of request {request_id} after {self.parts} parts")
            return call_result.NotifyReport()
        self.parts += 1
        self.variables += [f"{row['component']['name']}.{row['variable']['name']}" for row in report_data or []]
        self.complete = not tbc
        return call_result.NotifyReport()

    @on("StatusNotification")
    def status(self, **_):
        return call_result.StatusNotification()

    @on("Heartbeat")
    def heartbeat(self, **_):
        return call_result.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, **_):
        return call_result.Authorize(id_token_info={"status": "Accepted"})

    @on("TransactionEvent")
    def event(self, id_token=None, **_):
        return call_result.TransactionEvent(id_token_info={"status": "Accepted"} if id_token else None)


async def main(port):
    await serve(port, "ocpp2.0.1", "pending", lambda identity, socket: Backend(identity, socket, response_timeout=10))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
