use super::super::evidence::{Fate, Rewritten, StandIn};
use super::super::explain::{Decided, Place};
use super::*;
use crate::ledger::query::Judged;
use crate::ocpp::Severity;

fn text(seq: u64, said: &str) -> Text {
    Text {
        seq,
        at: 0,
        bytes: said.as_bytes().to_vec(),
        opaque: None,
    }
}

fn place(pointer: &str, ours: Option<&str>, theirs: Option<&str>, explained: bool) -> Place {
    Place {
        pointer: pointer.to_owned(),
        kind: "value",
        authority: ours.map(str::to_owned),
        shadow: theirs.map(str::to_owned),
        explained,
        severity: Severity::S1,
        decided: Decided {
            id: "r1".to_owned(),
            file: "f".to_owned(),
            line: 1,
            compare: "exact",
            reason: "because".to_owned(),
        },
        tried: Vec::new(),
    }
}

fn exchange(authority: Option<&str>, shadow: Option<&str>, places: Vec<Place>) -> Evidence {
    Evidence {
        judged: Judged {
            subject: Subject::Exchange,
            id: 9,
            at: 0,
            charger: "CP1".to_owned(),
            version: "1.6".to_owned(),
            action: "Authorize".to_owned(),
            authority: "legacy".to_owned(),
            outcome: "divergent".to_owned(),
            reason: String::new(),
            root: String::new(),
            rules: String::new(),
            facts: [9, 10, 11],
            sent: 12,
            findings: Vec::new(),
        },
        request: Some(text(9, r#"[2,"1","Authorize",{"idTag":"T"}]"#)),
        authority: authority.map(|said| text(10, said)),
        shadow: shadow.map(|said| text(11, said)),
        fate: Fate::default(),
        places,
    }
}

/// `mark path: legacy | candidate (why)` of each row of a section.
fn rows(comparison: &Comparison, section: &str) -> Vec<String> {
    let of = comparison.sections.iter().find(|it| it.title == section);
    let none = || "-".to_owned();
    (of.unwrap().rows.iter())
        .map(|row| {
            format!(
                "{} {}: {} | {} ({})",
                row.mark.char(),
                row.path,
                row.legacy.clone().unwrap_or_else(none),
                row.candidate.clone().unwrap_or_else(none),
                row.why
            )
        })
        .collect()
}

#[test]
fn every_field_has_a_row_and_the_judge_has_the_last_word() {
    let evidence = exchange(
        Some(r#"[3,"1",{"idTagInfo":{"status":"Blocked","parentIdTag":"P"},"n":[1,2]}]"#),
        Some(r#"[3,"1",{"n":[1,2.0],"idTagInfo":{"status":"Accepted","expiryDate":"2027"}}]"#),
        vec![
            place("/idTagInfo/expiryDate", None, Some("2027"), true),
            place("/idTagInfo/parentIdTag", Some("P"), None, false),
            place(
                "/idTagInfo/status",
                Some("Blocked"),
                Some("Accepted"),
                false,
            ),
        ],
    );
    let comparison = Comparison::of(&evidence);
    assert_eq!(
        rows(&comparison, "answer"),
        [
            r#"~ idTagInfo.expiryDate: - | "2027" (rule r1)"#,
            r#"x idTagInfo.parentIdTag: "P" | - (S1 rule r1)"#,
            r#"x idTagInfo.status: "Blocked" | "Accepted" (S1 rule r1)"#,
            "= n[0]: 1 | 1 ()",
            "= n[1]: 2 | 2 ()",
        ]
    );
    assert_eq!(comparison.sections[0].note, "the same 33 bytes to both");
    assert_eq!(comparison.count(Mark::Divergent), 2);
    assert_eq!(comparison.count(Mark::Equal), 2);
}

#[test]
fn a_shadow_of_legacy_is_shown_in_legacys_column() {
    let mut evidence = exchange(
        Some(r#"[3,"1",{"status":"new"}]"#),
        Some(r#"[3,"1",{"status":"old"}]"#),
        vec![place("/status", Some("new"), Some("old"), false)],
    );
    evidence.judged.authority = "candidate".to_owned();
    evidence.fate.rewrites = vec![Rewritten {
        class: "transactionId".to_owned(),
        path: "/transactionId".to_owned(),
        from: "7".to_owned(),
        to: "88".to_owned(),
    }];
    let comparison = Comparison::of(&evidence);
    assert_eq!(
        rows(&comparison, "answer"),
        [r#"x status: "old" | "new" (S1 rule r1)"#]
    );
    assert_eq!(
        rows(&comparison, "request"),
        ["~ transactionId: 88 | 7 (relation transactionId)"]
    );
}

#[test]
fn silence_errors_and_bytes_are_told_apart() {
    let answered = Some(r#"[3,"1",{"status":"Accepted"}]"#);
    let mut silent = exchange(answered, None, Vec::new());
    silent.fate.waited_us = Some(30_000_000);
    assert_eq!(
        rows(&Comparison::of(&silent), "answer"),
        [
            "x (answer): answered | (no answer in 30.0 s) ()",
            r#"x status: "Accepted" | - ()"#
        ]
    );
    let refused = exchange(answered, Some(r#"[4,"1","NotSupported","no",{}]"#), vec![]);
    assert!(
        rows(&Comparison::of(&refused), "answer")[0]
            .starts_with(r#"x (answer): answered | error NotSupported "no""#)
    );
    let mut odd = exchange(answered, None, Vec::new());
    odd.shadow = Some(Text {
        bytes: b"\xff\x1b[2J".to_vec(),
        ..text(11, "")
    });
    let comparison = Comparison::of(&odd);
    assert!(rows(&comparison, "answer")[0].contains(r"(bytes): answered | \xff\u{1b}[2J"));
    assert!(comparison.sections[1].note.ends_with("compared as bytes"));
}

#[test]
fn what_is_not_comparable_is_not_blamed() {
    let mut evidence = exchange(
        Some(r#"[3,"1",{"a":1}]"#),
        Some(r#"[3,"1",{"a":2}]"#),
        vec![place("/a", Some("1"), Some("2"), false)],
    );
    evidence.judged.outcome = "not comparable".to_owned();
    evidence.judged.reason = "tainted".to_owned();
    evidence.judged.root = "F-ABCDEFGH".to_owned();
    assert_eq!(
        rows(&Comparison::of(&evidence), "answer"),
        ["n a: 1 | 2 (tainted: follows from F-ABCDEFGH)"]
    );
}

#[test]
fn a_fenced_command_shows_what_the_stand_in_said() {
    let mut evidence = exchange(
        None,
        Some(r#"[2,"7","Reset",{"type":"Hard"}]"#),
        vec![place("", Some("not sent"), Some("sent"), false)],
    );
    evidence.judged.subject = Subject::Command;
    evidence.request = None;
    evidence.fate.stand_in = Some(StandIn {
        source: "model".to_owned(),
        text: text(13, r#"[3,"7",{"status":"Accepted"}]"#),
    });
    let comparison = Comparison::of(&evidence);
    assert_eq!(
        rows(&comparison, "command"),
        [
            "x (command): not sent | sent (rule r1)",
            r#"x type: - | "Hard" ()"#
        ]
    );
    assert_eq!(
        rows(&comparison, "stand-in"),
        [r#"s status: - | "Accepted" ()"#]
    );
}

#[test]
fn a_command_that_names_an_identifier_shows_the_relation() {
    let mut evidence = exchange(
        Some(r#"[2,"7","RemoteStopTransaction",{"transactionId":101}]"#),
        Some(r#"[2,"7","RemoteStopTransaction",{"transactionId":701}]"#),
        Vec::new(),
    );
    evidence.judged.subject = Subject::Command;
    evidence.judged.outcome = "equal".to_owned();
    assert_eq!(
        rows(&Comparison::of(&evidence), "command"),
        ["~ transactionId: 101 | 701 (relation)"]
    );
}

#[test]
fn huge_payloads_are_cut_and_say_so() {
    let many: Vec<String> = (0..1_500).map(|number| number.to_string()).collect();
    let said = format!(r#"[3,"1",{{"v":[{}]}}]"#, many.join(","));
    let comparison = Comparison::of(&exchange(Some(&said), Some(&said), Vec::new()));
    assert_eq!(comparison.sections[1].more, 500);
    assert_eq!(comparison.count(Mark::Equal), 1_500);
}
