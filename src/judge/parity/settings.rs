//! What the operator says about sessions and CDRs: a part of the rules, and recorded with them.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::join::{Place, Places};
use super::{DAY, HOUR, SECOND};
use crate::clock::Micros;
use crate::facts::Leg;

/// What the operator says about records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the backends' places lie.
    pub places: Places,
    /// How soon a session object is expected, µs.
    pub session_slo: Micros,
    /// How soon a CDR is expected, µs.
    pub cdr_slo: Micros,
    /// How long after its last news a record is taken as it is, µs: credits and their replacements come together.
    pub quiet: Micros,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: Places::default(),
            session_slo: HOUR / 6,
            cdr_slo: DAY,
            quiet: 60 * SECOND,
        }
    }
}

/// Why recorded settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not the JSON that a tap writes.
    #[error("what the recording says about sessions cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A backend that is none.
    #[error("what the recording says about sessions names a backend {0:?}")]
    Backend(String),
    /// A time zone that is none.
    #[error("what the recording says about sessions names a time zone {0:?}")]
    Zone(String),
}

#[derive(Serialize, Deserialize)]
struct Said {
    session_slo_us: Micros,
    cdr_slo_us: Micros,
    quiet_us: Micros,
    places: Vec<SaidPlace>,
}

#[derive(Serialize, Deserialize)]
struct SaidPlace {
    backend: String,
    place: String,
    charger: String,
    connector: Option<String>,
    time_zone: Option<String>,
}

impl Settings {
    /// The settings as JSON, in an order that depends on nothing else.
    pub fn to_json(&self) -> Value {
        let places = self.places.by_evse.iter().map(|((leg, name), place)| {
            json!({
                "backend": leg.word(),
                "place": name,
                "charger": place.charger,
                "connector": place.connector,
                "time_zone": place.zone.map(Tz::name),
            })
        });
        json!({
            "session_slo_us": self.session_slo,
            "cdr_slo_us": self.cdr_slo,
            "quiet_us": self.quiet,
            "places": places.collect::<Vec<_>>(),
        })
    }

    /// Reads what [`Settings::to_json`] wrote.
    pub fn from_json(text: &[u8]) -> Result<Self, SettingsError> {
        let said: Said = serde_json::from_slice(text)?;
        let mut places = Places::default();
        for place in said.places {
            let leg = Leg::from_word(&place.backend)
                .ok_or_else(|| SettingsError::Backend(place.backend.clone()))?;
            let zone = place.time_zone.map(|name| {
                let zone = name.parse::<Tz>();
                zone.map_err(|_| SettingsError::Zone(name))
            });
            let lies = Place {
                charger: place.charger,
                connector: place.connector,
                zone: zone.transpose()?,
            };
            places.by_evse.insert((leg, place.place), lies);
        }
        Ok(Self {
            places,
            session_slo: said.session_slo_us,
            cdr_slo: said.cdr_slo_us,
            quiet: said.quiet_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_from_their_json() {
        let mut settings = Settings {
            cdr_slo: 5,
            ..Settings::default()
        };
        let place = Place {
            charger: "CP1".to_owned(),
            connector: Some("2".to_owned()),
            zone: Some(Tz::Europe__Amsterdam),
        };
        let name = (Leg::Candidate, "NL*ABC*E1".to_owned());
        settings.places.by_evse.insert(name, place);
        let text = settings.to_json().to_string();
        assert_eq!(Settings::from_json(text.as_bytes()).unwrap(), settings);
        let odd = text.replace("Europe/Amsterdam", "Europe/Nowhere");
        assert!(matches!(
            Settings::from_json(odd.as_bytes()),
            Err(SettingsError::Zone(_))
        ));
    }
}
