use super::*;

fn error(text: &str) -> String {
    parse("rules.toml", text).unwrap_err().to_string()
}

const HEAD: &str = "[[rule]]\nid = \"a\"\naction = \"Authorize\"\npart = \"answer\"\npath = \"/x\"\nreason = \"\"\n";

#[test]
fn errors_say_where_and_what_to_write() {
    assert_eq!(
        error(&format!("{HEAD}severity = \"S1\"\ncompare = \"equal\"\n")),
        format!("rules.toml:8:11: unknown comparator \"equal\"\n  help: one of {COMPARATORS}")
    );
    assert!(error("[[rule]]\nid = 3\n").starts_with("rules.toml:2:6: "));
    assert!(error(&format!("{HEAD}colour = 1\n")).contains("unknown field `colour`"));
    assert!(error(&format!("{HEAD}compare = \"exact\"\n")).contains("has no severity"));
    assert!(
        error(&format!("{HEAD}severity = \"S9\"\ncompare = \"exact\"\n"))
            .starts_with("rules.toml:7:12: ")
    );
    assert!(
        error(&format!("{HEAD}severity = \"S1\"\ncompare = \"map-by\"\n")).contains("has no key")
    );
    assert!(
        error(&format!(
            "{HEAD}severity = \"S1\"\ncompare = \"set\"\ntolerance = 3\n"
        ))
        .contains("takes no tolerance")
    );
}

#[test]
fn tolerances_keep_their_decimals() {
    let rules = parse(
        "rules.toml",
        &format!("{HEAD}severity = \"S1\"\ncompare = \"number\"\ntolerance = 0.1\n"),
    )
    .unwrap();
    assert_eq!(
        rules[0].compare,
        Comparator::Number(Decimal::from_str("0.1").unwrap())
    );
}

#[test]
fn conditions_name_one_text_or_several() {
    let rule = |when: &str| {
        parse(
            "rules.toml",
            &format!("{HEAD}compare = \"ignore\"\nwhen = {{ {when} }}\n"),
        )
    };
    let read = rule(r#"a = "x", b = ["y", "z"]"#).unwrap();
    assert_eq!(read[0].when["a"], ["x"]);
    assert_eq!(read[0].when["b"], ["y", "z"]);
    for wrong in ["a = 1", "a = [1]"] {
        let error = rule(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with("rules.toml:8:14: condition a is not a text"),
            "{error}"
        );
    }
}

#[test]
fn a_tolerance_beyond_reason_is_everything() {
    let text = format!("{HEAD}severity = \"S1\"\ncompare = \"instant\"\ntolerance = 1e27\n");
    let rules = parse("rules.toml", &text).unwrap();
    assert_eq!(rules[0].compare, Comparator::Instant(i64::MAX));
}

#[test]
fn every_key_is_checked_where_it_stands() {
    let with = |from: &str, to: &str| {
        error(&format!("{HEAD}severity = \"S1\"\ncompare = \"exact\"\n").replace(from, to))
    };
    for (from, to, said) in [
        (
            "\"Authorize\"",
            "\"Autorize\"",
            "rules.toml:3:10: unknown action \"Autorize\"\n  help: did you mean \"Authorize\"",
        ),
        (
            "\"Authorize\"",
            "[]",
            "rules.toml:3:10: action is not a text",
        ),
        (
            "\"Authorize\"",
            "\"Reset\"",
            "rules.toml:3:10: Reset is sent by backends only",
        ),
        (
            "\"answer\"",
            "\"command\"",
            "rules.toml:3:10: Authorize is sent by chargers only",
        ),
        ("\"answer\"", "\"reply\"", "rules.toml:4:8: unknown part"),
        (
            "\"/x\"",
            "\"x\"",
            "rules.toml:5:8: path \"x\" is not a JSON pointer",
        ),
        (
            "\"/x\"",
            "\"/x~2\"",
            "rules.toml:5:8: path \"/x~2\" has a ~ that escapes nothing",
        ),
        (
            "\"/x\"",
            "\"/x//y\"",
            "rules.toml:5:8: path \"/x//y\" has an empty step",
        ),
        (
            "\"/x\"",
            "\"/x/0/y\"",
            "rules.toml:5:8: path \"/x/0/y\" names the array element 0",
        ),
        (
            "reason",
            "missing = \"S1\"\nreason",
            "rules.toml:6:11: missing and extra are about a whole command",
        ),
        (
            "reason",
            "key = [\"a\"]\nreason",
            "rules.toml:6:7: compare = \"exact\" takes no key",
        ),
        (
            "reason",
            "default = 1.5\nreason",
            "rules.toml:6:11: default is not",
        ),
        (
            "reason",
            "escalate_above = 1\nescalate_to = \"S1\"\nreason",
            "rules.toml:6:18: compare = \"exact\" knows no larger",
        ),
        (
            "reason",
            "versions = [\"1.7\"]\nreason",
            "rules.toml:6:13: unknown version",
        ),
        (
            "reason",
            "class = \"x\"\nreason",
            "rules.toml:6:9: unknown class",
        ),
        (
            "reason",
            "when = { \"a//b\" = \"c\" }\nreason",
            "rules.toml:6:19: condition \"a//b\" has an empty step",
        ),
    ] {
        let found = with(from, to);
        assert!(found.starts_with(said), "{said}, not {found}");
    }
}

#[test]
fn an_id_is_used_once() {
    let one = format!("{HEAD}compare = \"ignore\"\n");
    assert!(error(&format!("{one}{one}")).contains("rules.toml:9:6: rule \"a\" is there twice"));
}
