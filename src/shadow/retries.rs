//! Repeats that a charger would make if the shadow backend were its only one: as often and as far apart as the charger is
//! configured.

use std::time::Duration;

use crate::ocpp::Version;

use super::model::Model;

/// What the specification suggests (1.6 section 3.7.1, 2.x E13): three attempts, a minute apart.
const ATTEMPTS: u8 = 3;
const INTERVAL: Duration = Duration::from_mins(1);

/// What a charger may be configured with before it is not believed.
const MOST_ATTEMPTS: u8 = 20;
const LONGEST_INTERVAL: Duration = Duration::from_hours(1);

/// How long a charger waits before it repeats a transaction message that was failed `failed` times; `None` if it gives the
/// message up.
pub fn wait(version: Version, model: &Model, failed: u8) -> Option<Duration> {
    let (attempts, interval) = policy(version, model);
    // Each further wait is longer by one interval.
    (failed < attempts).then(|| interval * u32::from(failed))
}

fn policy(version: Version, model: &Model) -> (u8, Duration) {
    let number = |name| {
        (version == Version::V16)
            .then(|| model.setting(name))
            .flatten()
            .and_then(|value| value.trim().parse::<u32>().ok())
    };
    let attempts = number("TransactionMessageAttempts")
        .and_then(|count| u8::try_from(count).ok())
        .unwrap_or(ATTEMPTS);
    let interval = number("TransactionMessageRetryInterval")
        .map_or(INTERVAL, |seconds| Duration::from_secs(seconds.into()));
    (attempts.min(MOST_ATTEMPTS), interval.min(LONGEST_INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_one_interval_and_end_with_the_attempts() {
        let waits = |model: &Model| {
            (1..)
                .map_while(|failed| wait(Version::V16, model, failed))
                .map(|wait| wait.as_secs())
                .collect::<Vec<_>>()
        };
        let mut model = Model::default();
        assert_eq!(waits(&model), [60, 120]);
        let listed = r#"{"configurationKey":[
            {"key":"transactionMessageAttempts","readonly":false,"value":"4"},
            {"key":"TransactionMessageRetryInterval","readonly":false,"value":"10"}]}"#;
        model.answered(Version::V16, "GetConfiguration", "{}", listed);
        assert_eq!(waits(&model), [10, 20, 30]);
    }
}
