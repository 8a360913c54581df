//! `GetVariables` and `SetVariables`, element by element.

use serde_json::{Map, Value, json};

use super::Situation;
use super::reply::Reply;
use crate::shadow::model::device::Reads;
use crate::shadow::model::view::{ACTUAL, Known, View};
use crate::shadow::model::{Evidence, is_same_setting};

/// Reads the variables; `None` if nothing is known of any.
pub(super) fn get(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let view = situation.model.device().view();
    let asked = elements(payload, "getVariableData")?;
    if let Some(refusal) = too_many(&view, "GetVariables", asked.len(), payload.len()) {
        return Some(refusal);
    }
    let (mut results, mut evidence) = (Vec::new(), Vec::new());
    for element in &asked {
        let known = look_up(&view, element);
        evidence.extend(known.as_ref().map(|known| known.evidence));
        let (status, value) = match known.map(|known| known.reads) {
            Some(Reads::Value(value)) => ("Accepted".into(), Some(value)),
            Some(Reads::Status(status)) => (status, None),
            // Whether it exists is not known, so that is not claimed.
            None => ("Rejected".into(), None),
        };
        let mut result = outcome(element, &status);
        if let Some(value) = value {
            result.insert("attributeValue".to_owned(), value.as_ref().into());
        }
        results.push(Value::Object(result));
    }
    let evidence = Evidence::all(evidence)?;
    let payload = json!({"getVariableResult": results}).to_string();
    Some(Reply::model(payload).by(evidence))
}

/// Sets nothing: `Accepted` where the value is already so. `None` if nothing is known of any variable.
pub(super) fn set(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let view = situation.model.device().view();
    let asked = elements(payload, "setVariableData")?;
    if let Some(refusal) = too_many(&view, "SetVariables", asked.len(), payload.len()) {
        return Some(refusal);
    }
    let (mut results, mut evidence, mut same) = (Vec::new(), Vec::new(), true);
    for element in &asked {
        let known = look_up(&view, element);
        evidence.extend(known.as_ref().map(|known| known.evidence));
        let (status, reason) = verdict(known.as_ref(), element);
        same &= status == "Accepted";
        let mut result = outcome(element, status);
        if let Some(reason) = reason {
            let info = json!({"reasonCode": reason});
            result.insert("attributeStatusInfo".to_owned(), info);
        }
        results.push(Value::Object(result));
    }
    let evidence = Evidence::all(evidence)?;
    let payload = json!({"setVariableResult": results}).to_string();
    let reply = if same {
        Reply::no_op(payload)
    } else {
        Reply::model(payload)
    };
    Some(reply.by(evidence))
}

/// What would have to be known of the variables.
pub(super) fn missing(situation: Situation<'_>) -> Option<&'static str> {
    let device = situation.model.device();
    device.inventory("FullInventory").is_none().then_some(
        "no whole FullInventory was seen; it comes when the authority asks for one, or from a file (shadow.models)",
    )
}

/// Status and, where the charger itself would have one, reason.
fn verdict(known: Option<&Known>, element: &Value) -> (&'static str, Option<&'static str>) {
    let Some(known) = known else {
        return ("Rejected", None);
    };
    match &known.reads {
        _ if known.readonly => ("Rejected", Some("ReadOnly")),
        Reads::Value(value) => {
            let wanted = element["attributeValue"].as_str().unwrap_or_default();
            let same = is_same_setting(value, wanted);
            (if same { "Accepted" } else { "Rejected" }, None)
        }
        Reads::Status(status) => match status.as_ref() {
            "UnknownComponent" => ("UnknownComponent", None),
            "UnknownVariable" => ("UnknownVariable", None),
            "NotSupportedAttributeType" => ("NotSupportedAttributeType", None),
            _ => ("Rejected", None),
        },
    }
}

/// The elements of a request; `None` if one is not as its schema says.
fn elements(payload: &str, member: &str) -> Option<Vec<Value>> {
    let mut request: Value = serde_json::from_str(payload).ok()?;
    let Value::Array(elements) = request.get_mut(member)?.take() else {
        return None;
    };
    let named = |element: &Value| {
        element["component"]["name"].is_string() && element["variable"]["name"].is_string()
    };
    (!elements.is_empty() && elements.iter().all(named)).then_some(elements)
}

fn look_up(view: &View<'_>, element: &Value) -> Option<Known> {
    let kind = element["attributeType"].as_str().unwrap_or(ACTUAL);
    view.look_up(&element["component"], &element["variable"], kind)
}

/// The members that an outcome repeats from its element.
fn outcome(element: &Value, status: &str) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("attributeStatus".to_owned(), status.into());
    for member in ["attributeType", "component", "variable"] {
        if let Some(value) = element.get(member) {
            result.insert(member.to_owned(), value.clone());
        }
    }
    result
}

/// What a charger says to a request beyond its limits (B05.FR.11, B06.FR.16 and 17).
fn too_many(view: &View<'_>, action: &str, items: usize, bytes: usize) -> Option<Reply> {
    let limit = |variable| {
        let (value, evidence) = view.value("DeviceDataCtrlr", variable, Some(action))?;
        Some((value.parse::<usize>().ok()?, evidence))
    };
    if let Some((_, evidence)) = limit("ItemsPerMessage").filter(|(most, _)| items > *most) {
        let why = "more variables than ItemsPerMessage";
        return Some(Reply::error("OccurrenceConstraintViolation", why).by(evidence));
    }
    let (_, evidence) = limit("BytesPerMessage").filter(|(most, _)| bytes > *most)?;
    Some(Reply::error("FormatViolation", "longer than BytesPerMessage").by(evidence))
}
