use proptest::prelude::*;

use super::*;

const NOW: Micros = 1_800_000_000_000_000;

fn context(version: Version, action: &str) -> Context<'_> {
    Context {
        version,
        action,
        part: Part::Answer,
        request: "{}",
        heard: Some((NOW, NOW)),
    }
}

/// `path kind severity|~rule` of every difference.
fn found(version: Version, action: &str, authority: &str, shadow: &str) -> Vec<String> {
    let rules = Rules::built_in().unwrap();
    compare(&rules, &context(version, action), authority, shadow)
        .into_iter()
        .map(|difference| {
            let verdict = if difference.explained {
                format!("~{}", difference.rule.id)
            } else {
                difference.severity.to_string()
            };
            format!("{} {} {verdict}", difference.path, difference.kind.word())
        })
        .collect()
}

fn at(seconds: i64) -> String {
    chrono::DateTime::from_timestamp_micros(NOW + seconds * 1_000_000)
        .unwrap()
        .to_rfc3339()
}

#[test]
fn spelling_is_no_difference() {
    assert!(
        found(
            Version::V16,
            "X",
            r#"{"a":1.0,"b":"x","c":[1]}"#,
            r#"{ "c":[1.00], "b":"\u0078", "a":1e0 }"#
        )
        .is_empty()
    );
    assert!(found(Version::V16, "MeterValues", "{}", "null").is_empty());
}

#[test]
fn a_boot_is_compared_by_its_rules() {
    let clock = |seconds| {
        found(
            Version::V16,
            "BootNotification",
            &format!(
                r#"{{"status":"Accepted","currentTime":"{}","interval":300}}"#,
                at(0)
            ),
            &format!(
                r#"{{"status":"Pending","currentTime":"{}","interval":900}}"#,
                at(seconds)
            ),
        )
    };
    assert_eq!(
        clock(2),
        [
            "/currentTime value ~boot-clock",
            "/interval value S3",
            "/status value S1"
        ]
    );
    assert_eq!(clock(30)[0], "/currentTime value S3");
    assert_eq!(clock(-3_600)[0], "/currentTime value S2");
}

#[test]
fn a_clock_that_is_as_wrong_as_the_authoritys_is_explained() {
    let boot = |seconds| format!(r#"{{"currentTime":"{}"}}"#, at(seconds));
    assert_eq!(
        found(Version::V16, "Heartbeat", &boot(3_600), &boot(3_601)),
        ["/currentTime value ~heartbeat-clock"]
    );
    assert_eq!(
        found(Version::V16, "Heartbeat", &boot(3_600), &boot(0)),
        ["/currentTime value ~heartbeat-clock"]
    );
}

#[test]
fn refusals_differ_less_than_acceptance() {
    let status = |status: &str| format!(r#"{{"idTagInfo":{{"status":"{status}"}}}}"#);
    let pair = |a: &str, b: &str| found(Version::V16, "Authorize", &status(a), &status(b));
    assert_eq!(pair("Accepted", "Blocked"), ["/idTagInfo/status value S1"]);
    assert_eq!(pair("Invalid", "Blocked"), ["/idTagInfo/status value S4"]);
    assert_eq!(
        found(Version::V16, "Authorize", &status("Accepted"), "{}"),
        ["/idTagInfo missing S1"]
    );
    let status = |status: &str| format!(r#"{{"idTokenInfo":{{"status":"{status}"}}}}"#);
    assert_eq!(
        found(
            Version::V201,
            "Authorize",
            &status("Blocked"),
            &status("NoCredit")
        ),
        ["/idTokenInfo/status value S3"]
    );
}

#[test]
fn each_comparator_explains_what_it_should() {
    let info = |a: &str, b: &str| {
        found(
            Version::V16,
            "Authorize",
            &format!(r#"{{"idTagInfo":{{"status":"Accepted",{a}}}}}"#),
            &format!(r#"{{"idTagInfo":{{"status":"Accepted",{b}}}}}"#),
        )
    };
    assert_eq!(
        info(r#""parentIdTag":"abc""#, r#""parentIdTag":"ABC""#),
        ["/idTagInfo/parentIdTag value ~authorize-parent"]
    );
    assert_eq!(
        info(
            r#""expiryDate":"2026-11-24T10:00:00Z""#,
            r#""expiryDate":"2026-11-24 20:00:00""#
        ),
        ["/idTagInfo/expiryDate value ~authorize-expiry"]
    );
    assert_eq!(
        found(
            Version::V16,
            "StartTransaction",
            r#"{"transactionId":1}"#,
            r#"{"transactionId":7}"#
        ),
        ["/transactionId value ~start-transaction-id"]
    );
    assert_eq!(
        found(
            Version::V16,
            "StartTransaction",
            r#"{"transactionId":1}"#,
            r#"{"transactionId":"7"}"#
        ),
        ["/transactionId type S1"]
    );
    assert_eq!(
        found(
            Version::V16,
            "DataTransfer",
            r#"{"data":"{\"a\":1,\"b\":2}"}"#,
            r#"{"data":"{\"b\":2,\"a\":1.0}"}"#
        ),
        ["/data value ~data-transfer-data"]
    );
    assert_eq!(
        found(
            Version::V201,
            "Authorize",
            r#"{"idTokenInfo":{"evseId":[1,2]}}"#,
            r#"{"idTokenInfo":{"evseId":[2,1]}}"#
        ),
        ["/idTokenInfo/evseId value ~authorize2-evse"]
    );
    assert_eq!(
        found(
            Version::V201,
            "Authorize",
            r#"{"idTokenInfo":{"evseId":[]}}"#,
            r#"{"idTokenInfo":{}}"#
        ),
        ["/idTokenInfo/evseId missing ~authorize2-evse"]
    );
    assert_eq!(
        found(
            Version::V201,
            "TransactionEvent",
            r#"{"totalCost":0}"#,
            "{}"
        ),
        ["/totalCost missing S2"]
    );
}

#[test]
fn lists_are_matched_by_key() {
    let rules = Rules::built_in().unwrap();
    let context = Context {
        part: Part::Command,
        ..context(Version::V16, "SendLocalList")
    };
    let list = |entries: &str| format!(r#"{{"localAuthorizationList":[{entries}]}}"#);
    let a = r#"{"idTag":"A","idTagInfo":{"status":"Accepted"}}"#;
    let b = r#"{"idTag":"B","idTagInfo":{"status":"Accepted"}}"#;
    let blocked = r#"{"idTag":"b","idTagInfo":{"status":"Blocked"}}"#;
    let swapped = compare(
        &rules,
        &context,
        &list(&format!("{a},{b}")),
        &list(&format!("{b},{a}")),
    );
    assert!(swapped.len() == 1 && swapped[0].explained && swapped[0].kind == Kind::Order);
    let other = compare(
        &rules,
        &context,
        &list(&format!("{a},{b}")),
        &list(&format!("{blocked},{a}")),
    );
    let paths: Vec<_> = other
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/localAuthorizationList/*/idTag",
            "/localAuthorizationList/*/idTagInfo/status"
        ]
    );
    assert_eq!(
        other[1].pointer,
        "/localAuthorizationList/1/idTagInfo/status"
    );
}

#[test]
fn array_order_is_cosmetic_and_one_difference() {
    assert_eq!(
        found(Version::V16, "X", r#"{"a":[1,2,3]}"#, r#"{"a":[3,2,1]}"#),
        ["/a order S4"]
    );
    assert_eq!(
        found(Version::V16, "X", r#"{"a":[1,2]}"#, r#"{"a":[1,3,4]}"#),
        ["/a/* value S4", "/a/* extra S4"]
    );
}

#[test]
fn what_is_not_json_is_never_equal() {
    assert_eq!(found(Version::V16, "X", "{}", "{"), [" unreadable S2"]);
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        (any::<i16>(), 0u32..1000).prop_map(|(whole, part)| format!("{whole}.{part:03}")),
        "[a-zA-Z~/é\"\\\\]{0,6}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|parts| format!("[{}]", parts.join(","))),
            prop::collection::vec(("[a-c~/]{1,2}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn comparing_a_text_with_itself_finds_nothing(text in json()) {
        let rules = Rules::built_in().unwrap();
        let spaced = format!(" {text} ");
        prop_assert!(compare(&rules, &context(Version::V16, "X"), &text, &spaced).is_empty());
    }

    #[test]
    fn every_pointer_leads_to_what_differs(a in json(), b in json()) {
        let rules = Rules::built_in().unwrap();
        let (ours, theirs) = (payload(&a).unwrap(), payload(&b).unwrap());
        let differences = compare(&rules, &context(Version::V16, "X"), &a, &b);
        prop_assert_eq!(differences.is_empty(), ours.same(&theirs));
        for difference in differences {
            prop_assert_eq!(ours.at(&difference.pointer).is_some(), difference.authority.is_some());
            prop_assert_eq!(theirs.at(&difference.pointer).is_some(), difference.shadow.is_some());
        }
    }

    #[test]
    fn numbers_are_compared_by_value(whole in any::<i32>(), zeros in 0usize..6, other in any::<i32>()) {
        let spelled = format!("{whole}.{}", "0".repeat(zeros + 1));
        let scientific = format!("{whole}{}e-{zeros}", "0".repeat(zeros));
        prop_assert!(super::super::tree::same_number(&spelled, &scientific));
        prop_assert_eq!(super::super::tree::same_number(&spelled, &other.to_string()), whole == other);
        prop_assert_eq!(super::super::tree::decimal(&spelled), super::super::tree::decimal(&scientific));
    }
}

#[test]
fn the_same_instant_in_another_spelling_is_no_divergence() {
    let list = |expiry: &str, status: &str| {
        format!(
            r#"{{"listVersion":1,"updateType":"Full","localAuthorizationList":[{{"idTag":"T","idTagInfo":{{"status":"{status}","expiryDate":"{expiry}"}}}}]}}"#
        )
    };
    let rules = Rules::built_in().unwrap();
    let context = Context {
        part: Part::Command,
        ..context(Version::V16, "SendLocalList")
    };
    let open = |authority: &str, shadow: &str| {
        compare(&rules, &context, authority, shadow)
            .into_iter()
            .filter(|difference| !difference.explained)
            .map(|difference| difference.path)
            .collect::<Vec<_>>()
    };
    let here = list("2027-01-01T00:00:00Z", "Accepted");
    for there in [
        "2027-01-01T00:00:00.000Z",
        "2027-01-01T00:00:00+00:00",
        "2027-01-01T01:00:00.0+01:00",
    ] {
        assert!(open(&here, &list(there, "Accepted")).is_empty(), "{there}");
    }
    for there in ["2027-01-01T00:00:01Z", "2027-01-01T00:00:00+01:00", "2027"] {
        assert_eq!(
            open(&here, &list(there, "Accepted")),
            ["/localAuthorizationList/*/idTagInfo/expiryDate"],
            "{there}"
        );
    }
}

#[test]
fn null_where_the_other_has_nothing_is_cosmetic_and_told() {
    let answer = |parent: &str| format!(r#"{{"idTagInfo":{{"status":"Accepted"{parent}}}}}"#);
    let (absent, null) = (answer(""), answer(r#","parentIdTag":null"#));
    let path = "/idTagInfo/parentIdTag";
    for (ours, theirs) in [(&absent, &null), (&null, &absent)] {
        assert_eq!(
            found(Version::V16, "Authorize", ours, theirs),
            [format!("{path} type S4")]
        );
    }
    let group = answer(r#","parentIdTag":"G""#);
    assert_eq!(
        found(Version::V16, "Authorize", &group, &null),
        [format!("{path} type S2")]
    );
    assert_eq!(
        found(Version::V16, "Authorize", &group, &absent),
        [format!("{path} missing S2")]
    );
}

#[test]
fn tags_have_no_case_in_either_version() {
    let rules = Rules::built_in().unwrap();
    for (version, one, other) in [
        (
            Version::V16,
            r#"{"localAuthorizationList":[{"idTag":"ab","idTagInfo":{"status":"Accepted","parentIdTag":"g"}}]}"#,
            r#"{"localAuthorizationList":[{"idTag":"AB","idTagInfo":{"status":"Accepted","parentIdTag":"G"}}]}"#,
        ),
        (
            Version::V201,
            r#"{"localAuthorizationList":[{"idToken":{"idToken":"ab","type":"ISO14443"},"idTokenInfo":{"status":"Accepted"}}]}"#,
            r#"{"localAuthorizationList":[{"idToken":{"idToken":"AB","type":"ISO14443"},"idTokenInfo":{"status":"Accepted"}}]}"#,
        ),
    ] {
        let context = Context {
            part: Part::Command,
            ..context(version, "SendLocalList")
        };
        let found = compare(&rules, &context, one, other);
        assert!(
            !found.is_empty() && found.iter().all(|difference| difference.explained),
            "{found:?}"
        );
    }
}

#[test]
fn numbers_beyond_reason_are_different_and_no_more() {
    let limit = |limit: &str| {
        format!(
            r#"{{"csChargingProfiles":{{"chargingSchedule":{{"chargingSchedulePeriod":[{{"limit":{limit}}}]}}}}}}"#
        )
    };
    let rules = Rules::built_in().unwrap();
    let context = Context {
        part: Part::Command,
        ..context(Version::V16, "SetChargingProfile")
    };
    let huge = "79228162514264337593543950335";
    for (one, other) in [
        (huge, "-79228162514264337593543950335"),
        ("1e999", "0"),
        (huge, "0.1"),
    ] {
        let found = compare(&rules, &context, &limit(one), &limit(other));
        assert!(found.len() == 1 && !found[0].explained);
    }
}
