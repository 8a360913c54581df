//! What the charger says: CALLs, CALLs once more, and what no charger should say.

use serde_json::{Value, json};

use super::{Actor, By, End, NO_ANSWER, Sent, Told, deadline};
use crate::clock::Micros;
use crate::ocpp::{Version, actions};
use crate::replay::scenario::model::{Call, Odd, Scenario};

impl Actor<'_> {
    /// A CALL of a step, with what the charger's clock showed when it happened.
    pub(super) async fn call(&mut self, call: &Call, now: Micros) -> Result<(), End> {
        let payload = match &call.payload {
            Some(payload) => self.render(payload, now)?,
            None => usual(self.scenario, &call.action),
        };
        let sent = Sent {
            id: self.ids.next(),
            action: call.action.clone(),
            payload,
        };
        self.last = Some(sent.clone());
        self.say(&sent, call.fragments, now).await
    }

    /// The last CALL once more.
    pub(super) async fn repeat(&mut self, same_id: bool) -> Result<(), End> {
        let Some(mut sent) = self.last.clone() else {
            return Ok(());
        };
        if !same_id {
            sent.id = self.ids.next();
        }
        let now = self.clock.now();
        self.say(&sent, 1, now).await
    }

    /// Sends a CALL, in so many frames, and waits for its answer.
    async fn say(&mut self, sent: &Sent, fragments: u32, now: Micros) -> Result<(), End> {
        let known = actions::find(self.scenario.version, &sent.action);
        let is_send = known.is_some_and(|action| action.reply == actions::Reply::None);
        let kind = if is_send { 6 } else { 2 };
        let text = json!([kind, sent.id, sent.action, sent.payload]).to_string();
        let nth = self.lines.iter().filter(|told| told.id == sent.id).count();
        self.lines.push(Told {
            step: self.step,
            by: if is_send { By::Nobody } else { By::Charger },
            id: sent.id.clone(),
            nth,
            now,
            heard: None,
            silence: (!is_send).then_some(NO_ANSWER),
        });
        let place = self.lines.len() - 1;
        self.send(&text, fragments).await?;
        if is_send {
            return Ok(());
        }
        let due = deadline(self.stage.target.patience);
        let answered = |actor: &Self| actor.lines[place].heard.is_some();
        let again = Some((text.as_str(), fragments));
        self.hear_until(due, again, answered).await
    }

    /// Something that is no OCPP-J.
    pub(super) async fn send_odd(&mut self, odd: Odd) -> Result<(), End> {
        let patience = self.stage.target.patience;
        let Some(line) = &mut self.line else {
            return Ok(());
        };
        self.may_be_cut = true;
        let sent = match odd {
            Odd::NotJson => line.send("[2,\"odd\",\"Heartbeat\",{", patience).await,
            Odd::Empty => line.send("", patience).await,
            Odd::NoArray => line.send("{\"action\":\"Heartbeat\"}", patience).await,
            Odd::Binary => {
                line.send_binary(br#"[2,"odd","Heartbeat",{}]"#.to_vec(), patience)
                    .await
            }
        };
        sent.map_err(|end| (format!("the connection ended: {}", end.why), true))
    }
}

/// What a charger says that was not told what to say.
fn usual(scenario: &Scenario, action: &str) -> Value {
    let charger = &scenario.charger;
    match (action, scenario.version) {
        ("BootNotification", Version::V16) => json!({
            "chargePointVendor": charger.vendor,
            "chargePointModel": charger.model,
            "chargePointSerialNumber": charger.serial,
            "firmwareVersion": charger.firmware,
        }),
        ("BootNotification", _) => json!({
            "reason": "PowerUp",
            "chargingStation": {
                "vendorName": charger.vendor,
                "model": charger.model,
                "serialNumber": charger.serial,
                "firmwareVersion": charger.firmware,
            },
        }),
        _ => json!({}),
    }
}
