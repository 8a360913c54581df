//! Bundles that leave the building: the same series of messages, with pseudonyms in it.
//!
//! Identifiers by which its steps are tied together are kept or replaced alike wherever they stand, so that a veiled bundle
//! plays as the recorded one does; whoever writes one proves it again.

use serde_json::value::RawValue;

use super::veil::Veil;
use crate::replay::bundle::{Answer, Bundle, Step};

/// A bundle without names.
pub fn veiled(mut bundle: Bundle, veil: &Veil) -> Result<Bundle, serde_json::Error> {
    let about = &mut bundle.finding;
    for text in [
        &mut about.title,
        &mut about.reason,
        &mut about.legacy,
        &mut about.candidate,
        &mut bundle.asserts.says,
        &mut bundle.handshake.legacy.why,
        &mut bundle.handshake.candidate.why,
        &mut bundle.began,
    ] {
        *text = veil.prose(text);
    }
    bundle.charger.identity = veil.pseudonym(&bundle.charger.identity);
    for tag in &mut bundle.needs.tags {
        tag.tag = veil.pseudonym(&tag.tag);
    }
    for file in &mut bundle.rules {
        // The operator's folders are nobody's business.
        file.name = file.name.rsplit('/').next().unwrap_or_default().to_owned();
        file.text = veil.prose(&file.text);
    }
    for step in &mut bundle.steps {
        veil_step(step, veil)?;
    }
    Ok(bundle)
}

fn veil_step(step: &mut Step, veil: &Veil) -> Result<(), serde_json::Error> {
    step.payload = payload(&step.payload, veil)?;
    let answers = [&mut step.legacy, &mut step.candidate, &mut step.charger];
    for Answer { result, error, .. } in answers.into_iter().flatten() {
        if let Some(text) = result {
            *text = payload(text, veil)?;
        }
        if let Some(error) = error {
            error.description = veil.prose(&error.description);
        }
    }
    Ok(())
}

fn payload(text: &RawValue, veil: &Veil) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(veil.message(text.get()))
}
