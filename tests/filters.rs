//! The filter language: text and filter are the same thing, and a row and the database give the same answer.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/story.rs"]
mod story;

#[path = "findings/recorded.rs"]
mod recorded;

#[path = "filters/rows.rs"]
mod rows;

use std::cell::Cell;

use evenkeel::ledger::filter::{
    CHARGERS, Columns, DIVERGENCE_COLUMNS, DIVERGENCES, EXCHANGE_COLUMNS, EXCHANGES, FINDINGS,
    Field, Filter, Kind, SESSION_COLUMNS, SESSIONS, Value, divergence, exchange, session,
};
use evenkeel::ledger::{FILE, Ledger, Pending, Row};
use proptest::prelude::*;
use proptest::sample::select;
use recorded::Recorded;
use rows::{MODELS, NOW, Night, home};
use story::{Shadow, Story};

/// A value as it may be written for a field, some of them words that the rows of this test have.
fn value(field: &'static Field) -> BoxedStrategy<String> {
    let known = select(vec![
        "CP1",
        "cp?",
        "*1",
        "C-1",
        "Authorize",
        "auth*",
        "F-0000000A",
        "1.6",
        "sh",
        "depot-?",
        "pilot",
        "\"CP1\"",
        "\"\"",
        "1/2",
        "%",
        "_",
    ]);
    match field.kind {
        Kind::Text => prop_oneof![
            3 => known.prop_map(str::to_owned),
            1 => "[A-Za-z0-9*?/._%-]{1,6}",
            1 => "\"([a-zé%_ :,()*?~=]|\\\\\\\\|\\\\\"){0,6}\"",
        ]
        .boxed(),
        Kind::Choice(words) => select(words)
            .prop_map(|word| word.replace(' ', "-"))
            .boxed(),
        Kind::Number => (-2i64..8).prop_map(|number| number.to_string()).boxed(),
        Kind::Span => (0i64..4_000).prop_map(|span| format!("{span}ms")).boxed(),
        Kind::Severity => select(vec!["S0", "s1", "S2", "S3", "cosmetic", "crit", "low"])
            .prop_map(str::to_owned)
            .boxed(),
        Kind::Instant | Kind::Since | Kind::Until => prop_oneof![
            (0i64..200).prop_map(|span| format!("{span}m")),
            (0u8..24, 0u8..60).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}")),
            (1u8..4, 0u8..24, 0u8..60, 0u8..60).prop_map(|(day, hour, minute, second)| format!(
                "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
            )),
            (1u8..4).prop_map(|day| format!("2026-11-{day:02}")),
        ]
        .boxed(),
    }
}

fn operators(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Text => vec![":", "=", "!=", "~"],
        Kind::Choice(_) => vec![":", "=", "!="],
        Kind::Since | Kind::Until => vec![":"],
        Kind::Number | Kind::Span | Kind::Severity | Kind::Instant => {
            vec![":", "!=", ">", ">=", "<", "<="]
        }
    }
}

fn term(fields: &'static [Field]) -> BoxedStrategy<String> {
    let of_field = select(fields).prop_flat_map(|field: Field| {
        let field: &'static Field = Box::leak(Box::new(field));
        let operator = select(operators(field.kind));
        let names: Vec<&str> = [&[field.name], field.aliases].concat();
        (
            select(names),
            operator,
            prop::collection::vec(value(field), 1..3),
        )
            .prop_map(move |(name, operator, values)| {
                let single = matches!(field.kind, Kind::Since | Kind::Until)
                    || operator.starts_with(['<', '>']);
                let values = if single {
                    values[0].clone()
                } else {
                    values.join(",")
                };
                format!("{name}{operator}{values}")
            })
    });
    let word = prop_oneof![
        select(vec![
            "cp1", "acc", "\"CP1\"", "\"a b\"", "d?v*", "\"%\"", "1"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,2}".prop_filter("a word of the language", |word| word != "or"),
    ];
    prop_oneof![5 => of_field, 1 => word].boxed()
}

fn texts(fields: &'static [Field]) -> impl Strategy<Value = String> {
    term(fields).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("not ({part})")),
            inner.clone().prop_map(|part| format!("!{part}")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" ")),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            prop::collection::vec(inner, 2..3).prop_map(|parts| parts.join("  AND ")),
        ]
    })
}

/// The numbers of the rows that the database lets through.
fn asked(db: &rusqlite::Connection, from: &str, filter: &Filter, columns: Columns) -> Vec<i64> {
    let condition = filter
        .to_sql(NOW, columns)
        .expect("every field of this view is a column");
    let sql = format!("SELECT {from} WHERE {} ORDER BY 1", condition.sql);
    let mut statement = db.prepare(&sql).unwrap();
    let found = statement.query_map(rusqlite::params_from_iter(condition.params), |row| {
        row.get(0)
    });
    found.unwrap().map(Result::unwrap).collect()
}

fn written(rows: &[Row]) -> (tempfile::TempDir, rusqlite::Connection) {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), "rules").unwrap();
    ledger.apply(rows, 1, Pending::default()).unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    (dir, db)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_filter_shows_is_read_back_as_the_same(text in texts(&FINDINGS)) {
        prop_assume!(text.len() <= evenkeel::ledger::filter::LONGEST);
        let filter = Filter::parse(&text, &FINDINGS).map_err(|error| TestCaseError::fail(error.caret(&text)))?;
        let shown = filter.to_string();
        prop_assert_eq!(Filter::parse(&shown, &FINDINGS).map_err(|error| TestCaseError::fail(error.caret(&shown)))?, filter);
    }

    #[test]
    fn no_text_is_too_odd_for_a_complaint_at_a_place(text in "([a-z:=!<>~,() \"\\\\*é\n0-9]|state|sev|not |or |since:){0,24}") {
        match Filter::parse(&text, &SESSIONS) {
            Ok(filter) => {
                let shown = filter.to_string();
                prop_assert_eq!(Filter::parse(&shown, &SESSIONS).unwrap(), filter, "{}", shown);
            }
            Err(error) => {
                prop_assert!(text.get(error.at..error.at + error.len).is_some(), "{error:?}");
                prop_assert!(!error.message.is_empty() && !error.hint.is_empty());
            }
        }
    }
}

#[test]
fn rows_and_database_let_the_same_through() {
    let night = Night::of(60);
    let (_dir, db) = written(&night.rows());
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let three = (texts(&EXCHANGES), texts(&DIVERGENCES), texts(&SESSIONS));
    let through = Cell::new(0);
    runner
        .run(&three, |(of_exchanges, of_divergences, of_sessions)| {
            for text in [&of_exchanges, &of_divergences, &of_sessions] {
                prop_assume!(text.len() <= evenkeel::ledger::filter::LONGEST);
            }
            let filter = Filter::parse(&of_exchanges, &EXCHANGES).unwrap();
            let held = night.exchanges.iter().filter(|row| {
                let (model, findings) = night.around(row);
                let rules = row.rules.join(",");
                filter.matches(
                    NOW,
                    &exchange(row, (home(&row.charger), model), &findings, &rules),
                )
            });
            let held: Vec<i64> = held.map(|row| row.id as i64).collect();
            prop_assert_eq!(
                &asked(&db, "e.id FROM exchanges e", &filter, EXCHANGE_COLUMNS),
                &held,
                "{}",
                of_exchanges
            );
            through.set(through.get() + held.len());

            let filter = Filter::parse(&of_divergences, &DIVERGENCES).unwrap();
            let held = night.divergences.iter().enumerate().filter(|(_, row)| {
                filter.matches(NOW, &divergence(row, night.standing(&row.finding)))
            });
            let held: Vec<i64> = held.map(|(number, _)| number as i64 + 1).collect();
            let from = "d.number FROM divergences d JOIN findings f ON f.id = d.finding";
            prop_assert_eq!(
                &asked(&db, from, &filter, DIVERGENCE_COLUMNS),
                &held,
                "{}",
                of_divergences
            );
            through.set(through.get() + held.len());

            let filter = Filter::parse(&of_sessions, &SESSIONS).unwrap();
            let held = night.sessions.iter().filter(|row| {
                filter.matches(
                    NOW,
                    &session(row, (home(&row.charger), &row.id.to_string())),
                )
            });
            let held: Vec<i64> = held.map(|row| row.id as i64).collect();
            prop_assert_eq!(
                &asked(&db, "s.id FROM sessions s", &filter, SESSION_COLUMNS),
                &held,
                "{}",
                of_sessions
            );
            through.set(through.get() + held.len());
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        through.get() > 1_000,
        "the filters of this test let hardly anything through: {through:?}"
    );
}

/// Notes the fields that a row has a value in.
fn note(
    fields: &'static [Field],
    row: &dyn Fn(&'static str) -> Value<'static>,
    seen: &mut Vec<&'static str>,
) {
    let names = fields.iter().map(|field| field.name);
    seen.extend(names.filter(|name| row(name) != Value::Nothing));
}

#[test]
fn every_field_of_a_row_is_known() {
    let night = Night::of(60);
    let mut seen = Vec::new();
    for row in &night.exchanges {
        let row: &'static _ = Box::leak(Box::new(row.clone()));
        note(
            &EXCHANGES,
            &exchange(row, (home(&row.charger), MODELS[0]), &[], ""),
            &mut seen,
        );
    }
    for field in &EXCHANGES {
        assert!(seen.contains(&field.name), "{}", field.name);
    }
    let mut seen = Vec::new();
    for row in &night.sessions {
        let row: &'static _ = Box::leak(Box::new(row.clone()));
        note(
            &SESSIONS,
            &session(row, (home(&row.charger), "1")),
            &mut seen,
        );
    }
    for field in &SESSIONS {
        assert!(seen.contains(&field.name), "{}", field.name);
    }
}

/// What a text is, or the complaint with its place.
fn told(text: &str) -> String {
    Filter::parse(text, &FINDINGS).map_or_else(
        |error| format!("{}: {}", error.caret(text), error.message),
        |filter| filter.to_string(),
    )
}

#[test]
fn filters_are_written_in_one_way() {
    for (text, shown) in [
        ("", ""),
        ("SEV>=billing", "severity>=S2"),
        ("a or b c and not (d or e)", "a or b c not (d or e)"),
        ("(a (b))", "a b"),
        ("count > 3 state!=NEW,gone", "count>3 state!=new,gone"),
        (
            "since:90m last<2026-11-22T02:14:00+01:00",
            "since:1h30m last<2026-11-22T01:14:00Z",
        ),
        (
            "owner:\"\" title~\"a \\\"b\\\"\"",
            "owner:\"\" title~\"a \\\"b\\\"\"",
        ),
        ("!charger:a*,B?", "not charger:a*,B?"),
    ] {
        assert_eq!(told(text), shown);
    }
}

#[test]
fn complaints_say_where_and_what_else() {
    for (text, complaint) in [
        (
            "stat:new",
            "stat:new\n^^^^ did you mean state?: no field is called \"stat\"",
        ),
        (
            "state:nwe",
            "state:nwe\n      ^^^ did you mean new?: \"nwe\" is no value of state",
        ),
        (
            "state:x",
            "state:x\n      ^ expected one of new, known, accepted, fixed, regressed, gone: \"x\" is no value of state",
        ),
        (
            "state>new",
            "state>new\n     ^ expected `:`, `=` or `!=`: state is not compared like this",
        ),
        (
            "action:",
            "action:\n       ^ write for example action:Authorize,StartTransaction: action has no value",
        ),
        (
            "é (a or",
            "é (a or\n       ^ write for example severity>=S2: a term is missing",
        ),
        ("(a", "(a\n^ add `)`: a parenthesis that is not closed"),
        ("a)", "a)\n ^ remove it: a closing parenthesis too many"),
        ("a \"b", "a \"b\n  ^ add `\"`: quotes that are not closed"),
        (
            "count>1,2",
            "count>1,2\n       ^ expected a blank: count is compared with one value here",
        ),
        (
            "count:many",
            "count:many\n      ^^^^ expected a whole number: \"many\" is no value of count",
        ),
        (
            "a\"b\"",
            "a\"b\"\n ^ expected a blank: two terms that touch",
        ),
        (
            ">5",
            ">5\n^ write for example severity>=S2: an operator without a field",
        ),
        (
            "since:yesterday",
            "since:yesterday\n      ^^^^^^^^^ expected 2h (before the last fact), 02:14, 2026-11-22 or 2026-11-22T02:14Z: \
             \"yesterday\" is no value of since",
        ),
    ] {
        assert_eq!(told(text), complaint);
    }
    let deep = "(".repeat(200) + "a";
    assert!(told(&deep).ends_with("too many levels of parentheses and `not`"));
    assert!(told(&"a ".repeat(600)).ends_with("a filter of 1200 bytes is too long"));
    assert!(Filter::parse("state:away", &CHARGERS).is_ok());
}

const TAG: &str = r#"{"idTag":"T1"}"#;
const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;

fn night() -> Recorded {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    story.exchange("Heartbeat", "{}", "{}", Shadow::Answers(r#"{"more":1}"#));
    story.exchange("Heartbeat", "{}", "{}", Shadow::Answers(r#"{"more":1}"#));
    Recorded::of(&story.facts)
}

#[test]
fn options_are_short_for_parts_of_a_filter() {
    let night = night();
    let found = |more: &[&str]| {
        let (code, text) = night.run(&["diffs", "--json"], more);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let findings = json["findings"].as_array().unwrap();
        let actions: Vec<String> = findings
            .iter()
            .map(|finding| finding["action"].as_str().unwrap().to_owned())
            .collect();
        let compared = json["coverage"]["all"].as_u64().unwrap();
        (code, actions.join(" "), compared)
    };
    let (_, all, _) = found(&[]);
    assert_eq!(all, "Authorize Heartbeat");
    for (options, filter, actions, compared) in [
        (
            vec!["--action", "Authorize"],
            "action:\"Authorize\"",
            "Authorize",
            1,
        ),
        (vec!["--action", "authorize"], "action:\"authorize\"", "", 0),
        (
            vec!["--charger", "CP1"],
            "charger:\"CP1\"",
            "Authorize Heartbeat",
            3,
        ),
        (vec!["--severity", "S2"], "severity>=S2", "Authorize", 3),
        (vec!["--state", "known"], "state:known", "", 3),
        (vec!["--owner", "a \"b\""], "owner:\"a \\\"b\\\"\"", "", 3),
    ] {
        let short = found(&options);
        assert_eq!(short, found(&["--filter", filter]), "{filter}");
        assert_eq!((short.1.as_str(), short.2), (actions, compared), "{filter}");
    }
    assert_eq!(found(&["--filter", "count>1"]).1, "Heartbeat");
    assert_eq!(found(&["--filter", "heartb*", "--severity", "S0"]).1, "");
    // From the last fact on back, whenever it is asked.
    assert_eq!(found(&["--filter", "since:1d"]).1, all);
    assert_eq!(found(&["--filter", "until:1d"]).1, "");
}

#[test]
fn a_wrong_filter_is_shown_with_a_caret() {
    let night = night();
    for verb in ["diffs", "sessions"] {
        let (code, text) = night.run(&[verb, "--filter", "charger:CP1 stat:open"], &[]);
        assert_eq!(code, 2, "{text}");
        assert!(
            text.starts_with(
                "error[FLT-001]: no field is called \"stat\"\n  --filter line 1\n   1 | charger:CP1 stat:open\n     \
                 |             ^^^^ did you mean state?\n"
            ),
            "{text}"
        );
    }
}
