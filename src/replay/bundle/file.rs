//! A bundle as text.

use chrono::{DateTime, SecondsFormat};

use super::{Bundle, By, SCHEMA, Step};
use crate::clock::Micros;
use crate::ledger::row::Subject;
use crate::ocpp::Version;
use crate::ocpp::instant;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// Why a text is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// Not the JSON that a bundle is.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Another schema, or a later version of this one.
    #[error("its schema is {0:?}, not {SCHEMA:?}")]
    Schema(String),
    /// It contradicts itself.
    #[error("{0}")]
    Sense(String),
    /// It is too large.
    #[error("larger than {} MiB", MAX_BYTES >> 20)]
    Large,
}

/// What is looked at before the rest.
#[derive(serde::Deserialize)]
struct Head {
    schema: String,
}

impl Bundle {
    /// Reads a bundle and checks that it makes sense.
    pub fn read(text: &str) -> Result<Self, FormError> {
        if text.len() > MAX_BYTES {
            return Err(FormError::Large);
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != SCHEMA {
            return Err(FormError::Schema(head.schema));
        }
        let bundle: Self = serde_json::from_str(text)?;
        bundle.check().map_err(FormError::Sense)?;
        Ok(bundle)
    }

    /// Writes it.
    pub fn write(&self) -> Result<String, FormError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn check(&self) -> Result<(), String> {
        if Version::from_number(&self.charger.version).is_none() {
            return Err(format!("unknown OCPP version {:?}", self.charger.version));
        }
        if instant::rfc3339(&self.began).is_none() {
            return Err(format!("`began` is no instant: {:?}", self.began));
        }
        for (step, number) in self.steps.iter().zip(1..) {
            if step.step != number {
                return Err(format!("step {} stands where {number} is due", step.step));
            }
            check_times(step)?;
            if let Some(late) = step
                .refers
                .iter()
                .find(|it| !(1..number).contains(&it.step))
            {
                return Err(format!(
                    "step {number} names {} of step {}, which does not come before it",
                    late.class, late.step
                ));
            }
        }
        if !self.steps.is_sorted_by_key(|step| step.after_ms) {
            return Err("steps do not follow each other in time".to_owned());
        }
        let fits = match (self.finding.subject, self.asserted()) {
            (Subject::Session, _) => false,
            (Subject::Handshake, asserted) => asserted.is_none(),
            (Subject::Exchange, asserted) => asserted.is_some_and(|step| step.by == By::Charger),
            (Subject::Command, asserted) => asserted.is_some_and(|step| step.by != By::Charger),
        };
        fits.then_some(())
            .ok_or_else(|| format!("step {} cannot be asserted", self.asserts.step))
    }
}

/// The longest time that a bundle may name, ms: a year.
const LONGEST: u64 = 366 * 86_400_000;

fn check_times(step: &Step) -> Result<(), String> {
    let answers = [&step.legacy, &step.candidate, &step.charger]
        .into_iter()
        .flatten();
    let longest = answers
        .map(|answer| answer.after_ms)
        .chain([step.after_ms])
        .max();
    if longest > Some(LONGEST) {
        return Err(format!("step {} takes longer than a year", step.step));
    }
    Ok(())
}

/// An instant as bundles spell it.
pub(super) fn rfc3339(at: Micros) -> String {
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
