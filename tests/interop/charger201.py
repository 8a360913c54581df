"""An OCPP 2.0.1 charger on the PyPI package `ocpp`: one whole session, refused tokens, one backend command.

Usage: charger201.py URL IDENTITY [linger]. Prints what it sent and received as JSON lines; exits non-zero on anything
unexpected. With `linger` it stays connected until its standard input ends.
"""

import asyncio
import sys
import uuid
from datetime import datetime, timezone

import websockets
from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result

from wire import Recorded, complain, input_ends

GOOD, REFUSED, DISPUTED = "CARD-GOOD", "CARD-REFUSED", "CARD-DISPUTED"


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def token(text):
    return {"id_token": text, "type": "ISO14443"}


def reading(register, context):
    return {
        "timestamp": now(),
        "sampled_value": [
            {"value": register, "context": context, "measurand": "Energy.Active.Import.Register"}
        ],
    }


def row(component, variable, value):
    return {
        "component": {"name": component},
        "variable": {"name": variable},
        "variable_attribute": [{"type": "Actual", "value": value, "mutability": "ReadWrite"}],
        "variable_characteristics": {"data_type": "string", "supports_monitoring": False},
    }


INVENTORY = [
    [row("OCPPCommCtrlr", "HeartbeatInterval", "300"), row("ClockCtrlr", "TimeSource", "Heartbeat")],
    [row("ChargingStation", "Model", "Two"), row("AuthCtrlr", "Enabled", "true")],
]


class Charger(ChargePoint):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = asyncio.Event()

    @on("GetVariables")
    def get_variables(self, get_variable_data):
        self.asked.set()
        return call_result.GetVariables(
            get_variable_result=[
                {
                    "attribute_status": "Accepted",
                    "attribute_value": "300",
                    "component": item["component"],
                    "variable": item["variable"],
                }
                for item in get_variable_data
            ]
        )

    @on("GetBaseReport")
    def get_base_report(self, **_):
        return call_result.GetBaseReport(status="Accepted")

    @after("GetBaseReport")
    async def report(self, request_id, **_):
        for seq, rows in enumerate(INVENTORY):
            await self.ask(
                call.NotifyReport(
                    request_id=request_id,
                    generated_at=now(),
                    seq_no=seq,
                    tbc=seq + 1 < len(INVENTORY),
                    report_data=rows,
                )
            )

    async def ask(self, request):
        return await self.call(request, suppress=False)

    async def status(self, status):
        await self.ask(
            call.StatusNotification(timestamp=now(), connector_status=status, evse_id=1, connector_id=1)
        )

    async def live(self):
        boot = await self.ask(
            call.BootNotification(
                charging_station={"vendor_name": "Interop", "model": "Two", "firmware_version": "2.0"},
                reason="PowerUp",
            )
        )
        if boot.status != "Accepted":
            complain(f"boot answered {boot.status}")
        try:
            await asyncio.wait_for(self.asked.wait(), 10)
        except asyncio.TimeoutError:
            complain("no GetVariables from the backend")
        await self.status("Available")
        await self.ask(call.Heartbeat())
        await self.session()
        refused = await self.ask(call.Authorize(id_token=token(REFUSED)))
        if refused.id_token_info["status"] == "Accepted":
            complain("the refused token was accepted")
        # What this one is answered is for the backends to disagree on.
        await self.ask(call.Authorize(id_token=token(DISPUTED)))

    async def session(self):
        authorized = await self.ask(call.Authorize(id_token=token(GOOD)))
        if authorized.id_token_info["status"] != "Accepted":
            complain(f"the good token was answered {authorized.id_token_info}")
        await self.status("Occupied")
        transaction = str(uuid.uuid4())
        await self.event(transaction, 0, "Started", "Authorized", reading(1000, "Transaction.Begin"), token(GOOD))
        for seq, register in enumerate((2000, 4000, 8000), start=1):
            await self.event(
                transaction, seq, "Updated", "MeterValuePeriodic", reading(register, "Sample.Periodic")
            )
        await self.event(transaction, 4, "Ended", "StopAuthorized", reading(11000, "Transaction.End"))
        await self.status("Available")

    async def event(self, transaction, seq, kind, trigger, value, id_token=None):
        answer = await self.ask(
            call.TransactionEvent(
                event_type=kind,
                timestamp=now(),
                trigger_reason=trigger,
                seq_no=seq,
                transaction_info={"transaction_id": transaction},
                evse={"id": 1, "connector_id": 1},
                id_token=id_token,
                meter_value=[value],
            )
        )
        if id_token and answer.id_token_info["status"] != "Accepted":
            complain(f"{kind} was answered {answer}")


async def main(url, identity, linger=None):
    async with websockets.connect(f"{url}/{identity}", subprotocols=["ocpp2.0.1"]) as socket:
        if socket.subprotocol != "ocpp2.0.1":
            complain(f"subprotocol {socket.subprotocol}")
        charger = Charger(identity, Recorded(socket, identity), response_timeout=10)
        listening = asyncio.create_task(charger.start())
        await charger.live()
        if linger:
            await input_ends()
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
