use super::*;

fn originals(values: &[&str]) -> Originals {
    let mut originals = Originals::default();
    for value in values {
        originals.insert(value);
    }
    originals
}

fn veil(values: &[&str]) -> Veil {
    Veil::new(&[7; KEY_BYTES], "Norvik", 0, originals(values))
}

#[test]
fn a_pseudonym_has_the_shape_of_what_it_stands_for() {
    let veil = veil(&[]);
    for value in [
        "04B10C4ED0",
        "harbour-ac-02",
        "NL-ABC-C12345678-9",
        "Jo van der Berg",
        "Ladesäule 7",
        "0",
        "",
    ] {
        let name = veil.pseudonym(value);
        assert_eq!(name.chars().count(), value.chars().count(), "{value}");
        for (a, b) in name.chars().zip(value.chars()) {
            assert_eq!(
                (
                    a.is_ascii_digit(),
                    a.is_alphabetic(),
                    a.is_ascii_uppercase()
                ),
                (
                    b.is_ascii_digit(),
                    b.is_alphabetic(),
                    b.is_ascii_uppercase()
                ),
                "{value} {name}"
            );
        }
        assert_eq!(veil.pseudonym(value), name);
    }
    let tag = veil.pseudonym("04B10C4ED0");
    assert!(
        tag.bytes().all(|byte| byte.is_ascii_hexdigit()) && tag.starts_with('0'),
        "{tag}"
    );
    assert_eq!(veil.pseudonym("04B10C4ED0 "), format!("{tag} "));
    assert_eq!(veil.pseudonym("04b10c4ed0"), tag.to_lowercase());
}

#[test]
fn nobody_gets_the_name_of_somebody_else() {
    // Every value of one digit but one is taken.
    let values = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let veil = veil(&values);
    assert_eq!(veil.pseudonym("1"), "9");
    let other = Veil::new(&[7; KEY_BYTES], "Tallow", 0, originals(&[]));
    assert_ne!(other.pseudonym("04B10C4ED0"), veil.pseudonym("04B10C4ED0"));
    assert_ne!(other.key_id(), veil.key_id());
}

#[test]
fn messages_keep_what_is_listed_and_stay_what_they_are() {
    let veil = veil(&[]);
    let text = r#"[2, "m1","StartTransaction",{"idTag" : "04B1\u0020","connectorId":1,"meterStart":10.50,"extra":{"phone":31612345678,"ok":true,"none":null}}]"#;
    let hidden = veil.message(text);
    assert!(
        hidden.starts_with(r#"[2, "m1","StartTransaction",{"idTag" : ""#),
        "{hidden}"
    );
    assert!(
        hidden.contains(r#""connectorId":1,"meterStart":10.50,"#)
            && hidden.contains(r#""ok":true,"none":null"#)
    );
    assert!(
        !hidden.contains("04B1") && !hidden.contains("31612345678"),
        "{hidden}"
    );
    assert!(
        serde_json::from_str::<serde_json::Value>(&hidden).is_ok(),
        "{hidden}"
    );
    let foreign = veil.message(r#"[2,"1","DataTransfer",{"vendorId":"v","data":{"status":"Jo"}}]"#);
    assert!(
        foreign.contains(r#""vendorId":"v""#) && !foreign.contains("Jo"),
        "{foreign}"
    );
    assert!(!veil.message("tag 04B10C4ED0 {").contains("04B1"));
}

#[test]
fn names_in_prose_are_replaced_and_words_of_the_program_are_not() {
    let veil =
        veil(&["harbour-ac-02", "status", "airport", "04B10C4ED0"]).knowing("the status of it");
    let said =
        veil.prose("status of harbour-ac-02: charger:harbour-ac-02/1, airport-dc, tag=04b10c4ed0.");
    let charger = veil.pseudonym("harbour-ac-02");
    assert!(
        said.starts_with(&format!("status of {charger}: charger:{charger}/1, ")),
        "{said}"
    );
    assert!(
        !said.contains("airport") && said.contains("-dc, tag=") && !said.contains("04b1"),
        "{said}"
    );
    assert!(said.ends_with('.'));
}

#[test]
fn times_are_shifted_where_they_stand() {
    let veil = Veil::new(&[7; KEY_BYTES], "x", 86_400_000_000, Originals::default());
    assert_eq!(
        veil.value("timestamp", "2027-01-31T10:00:00.5+01:00"),
        "2027-02-01T10:00:00.5+01:00"
    );
    assert_eq!(
        veil.prose("at 2027-01-31T10:00:00Z."),
        "at 2027-02-01T10:00:00Z."
    );
    assert_eq!(veil.time(1), 86_400_000_001);
}

#[test]
fn leaks_are_found_in_every_spelling_and_chance_is_not_one() {
    let veil = veil(&[
        "Jo <Berg>",
        "04B10C4ED0",
        "beef",
        "abc",
        "accepted",
        "0827577897",
    ])
    .knowing("Accepted");
    let leaked = |text: &str| leaks(&veil, &[("a.txt", b"words"), ("b.txt", text.as_bytes())]).1;
    for text in [
        "by Jo <Berg>",
        "by jo &lt;berg&gt;",
        "x04b10c4ed0y",
        "(BEEF)",
        "tag 0827577897",
        "Jo \\<Berg\\>",
    ] {
        let found = leaked(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].file, "b.txt");
    }
    for text in [
        "deadbeefcafe",
        "0.0827577897",
        "110827577897",
        "abc",
        "Accepted",
        "",
    ] {
        assert_eq!(leaked(text), [], "{text}");
    }
    let (searched, found) = leaks(&veil, &[("04B10C4ED0.txt", b"")]);
    assert_eq!((searched.values, searched.short, found.len()), (5, 1, 1));
}

#[test]
fn the_holder_of_the_key_knows_who_is_meant() {
    let veil = veil(&["04B10C4ED0", "harbour-ac-02"]);
    for value in ["04b10c4ed0", "harbour-ac-02"] {
        assert_eq!(veil.reveal(&veil.pseudonym(value)), [value]);
    }
    assert_eq!(veil.reveal("nobody-at-all"), [""; 0]);
}
