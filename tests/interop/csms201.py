"""OCPP 2.0.1 backends on the PyPI package `ocpp`, in three dialects.

Usage: csms201.py plain|other|auditor [PORT]. Prints where it listens, then what went over its sockets, as JSON lines. `other`
differs in the heartbeat interval, the price, one tag and a refusal reason, which matter, and in white space and key
order, which do not. `auditor` is `plain` and asks each charger for its full inventory.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result

from wire import serve


@dataclass
class Dialect:
    path: str
    interval: int
    price: float
    tags: dict
    otherwise: str
    loose: bool
    audits: bool = False


DIALECTS = {
    "plain": Dialect(
        "plain", 300, 0.35, {"CARD-GOOD": "Accepted", "CARD-DISPUTED": "Accepted"}, "Invalid", False
    ),
    "other": Dialect(
        "other/v2",
        120,
        0.30,
        {"CARD-GOOD": "Accepted", "CARD-DISPUTED": "Blocked", "CARD-REFUSED": "Blocked"},
        "Unknown",
        True,
    ),
}
DIALECTS["auditor"] = replace(DIALECTS["plain"], path="auditor", audits=True)


def loosely(text):
    """The same message with other white space and key order."""
    return json.dumps(json.loads(text), separators=(" , ", " : "), sort_keys=True)


def now():
    return datetime.now(timezone.utc).isoformat()


class Backend(ChargePoint):
    dialect = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.registers = {}

    def info(self, token):
        return {"status": self.dialect.tags.get(token["id_token"], self.dialect.otherwise)}

    @on("BootNotification")
    def boot(self, **_):
        return call_result.BootNotification(
            current_time=now(), interval=self.dialect.interval, status="Accepted"
        )

    @after("BootNotification")
    async def booted(self, **_):
        await self.call(
            call.GetVariables(
                get_variable_data=[
                    {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
                ]
            )
        )

        if self.dialect.audits:
            await self.call(call.GetBaseReport(request_id=4711, report_base="FullInventory"))

    @on("NotifyReport")
    def report(self, **_):
        return call_result.NotifyReport()

    @on("StatusNotification")
    def status(self, **_):
        return call_result.StatusNotification()

    @on("Heartbeat")
    def heartbeat(self, **_):
        return call_result.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, id_token, **_):
        return call_result.Authorize(id_token_info=self.info(id_token))

    @on("TransactionEvent")
    def event(self, event_type, transaction_info, meter_value, id_token=None, **_):
        transaction = transaction_info["transaction_id"]
        register = meter_value[-1]["sampled_value"][-1]["value"]
        first = self.registers.setdefault(transaction, register)
        cost = round((register - first) / 1000 * self.dialect.price, 2) if event_type == "Ended" else None
        return call_result.TransactionEvent(
            total_cost=cost, id_token_info=self.info(id_token) if id_token else None
        )


async def main(name, port):
    dialect = DIALECTS[name]

    def backend(identity, socket):
        made = Backend(identity, socket, response_timeout=10)
        made.dialect = dialect
        return made

    await serve(port, "ocpp2.0.1", dialect.path, backend, loosely if dialect.loose else None)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
