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
    let (attempts, seconds) = if version == Version::V16 {
        (
            number(model.setting("TransactionMessageAttempts")),
            number(model.setting("TransactionMessageRetryInterval")),
        )
    } else {
        let view = model.device().view();
        let value = |variable| {
            let found = view.value("OCPPCommCtrlr", variable, Some("TransactionEvent"));
            number(found.as_ref().map(|(value, _)| value.as_str()))
        };
        (value("MessageAttempts"), value("MessageAttemptInterval"))
    };
    let attempts = attempts.and_then(|count| u8::try_from(count).ok());
    let interval = seconds.map_or(INTERVAL, |seconds| Duration::from_secs(seconds.into()));
    (
        attempts.unwrap_or(ATTEMPTS).min(MOST_ATTEMPTS),
        interval.min(LONGEST_INTERVAL),
    )
}

fn number(value: Option<&str>) -> Option<u32> {
    value?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Dir;
    use crate::ocpp::Envelope;
    use crate::shadow::model::Heard;

    /// A model of a charger that answered one command of its authority's so.
    fn told(version: Version, command: &str, answer: &str) -> Model {
        let mut model = Model::default();
        for (seq, dir, text) in [(1, Dir::ToCharger, command), (2, Dir::FromCharger, answer)] {
            let heard = Heard {
                conn: 1,
                seq,
                at: 0,
            };
            model.hear(version, dir, heard, &Envelope::parse(text).unwrap());
        }
        model
    }

    fn waits(version: Version, model: &Model) -> Vec<u64> {
        (1..)
            .map_while(|failed| wait(version, model, failed))
            .map(|wait| wait.as_secs())
            .collect()
    }

    #[test]
    fn waits_grow_by_one_interval_and_end_with_the_attempts() {
        assert_eq!(waits(Version::V16, &Model::default()), [60, 120]);
        let listed = r#"[3,"1",{"configurationKey":[
            {"key":"transactionMessageAttempts","readonly":false,"value":"4"},
            {"key":"TransactionMessageRetryInterval","readonly":false,"value":"10"}]}]"#;
        let model = told(Version::V16, r#"[2,"1","GetConfiguration",{}]"#, listed);
        assert_eq!(waits(Version::V16, &model), [10, 20, 30]);
    }

    #[test]
    fn a_station_of_2_x_repeats_as_its_variables_say() {
        let variable = |name: &str, value: &str| {
            format!(
                r#"{{"attributeStatus":"Accepted","attributeValue":"{value}","component":{{"name":"OCPPCommCtrlr"}},
                    "variable":{{"name":"{name}","instance":"TransactionEvent"}}}}"#
            )
        };
        let answer = format!(
            r#"[3,"1",{{"getVariableResult":[{},{}]}}]"#,
            variable("MessageAttempts", "2"),
            variable("MessageAttemptInterval", "5")
        );
        let ask = r#"[2,"1","GetVariables",{"getVariableData":[]}]"#;
        let model = told(Version::V201, ask, &answer);
        assert_eq!(waits(Version::V201, &model), [5]);
    }
}
