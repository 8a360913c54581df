//! Screen 3: sessions three ways, and what the books come to.

use evenkeel::watch::app::Effect;

use crate::night::Night;
use crate::stage::{ASCII, Stage, golden};

#[test]
fn sessions_at_every_size() {
    golden("sessions", &Night::whole(), "3");
}

#[test]
fn the_selected_session_is_told_three_ways() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("3");
    let picture = stage.picture();
    for said in [
        "RECONCILIATION",
        "WIRE TRUTH",
        "energy kWh",
        "10346",
        "10332",
    ] {
        assert!(picture.contains(said), "{said}: {picture}");
    }
    // Money, then times.
    stage.press("c");
    assert!(
        stage.picture().contains("columns: money"),
        "{}",
        stage.picture()
    );
    stage.press("c");
    assert!(
        stage.picture().contains("columns: times"),
        "{}",
        stage.picture()
    );
    stage.press("o");
    assert!(
        stage.picture().contains("only divergent"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_session_opens_its_ladder() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("3<Enter>");
    let picture = stage.picture();
    assert!(
        picture.contains("SESSION") && picture.contains("StartTransaction"),
        "{picture}"
    );
    assert!(
        picture.contains("tx 101") && picture.contains("tx 701"),
        "{picture}"
    );
    assert!(picture.contains("legacy cdr: 10346 Wh"), "{picture}");
}

#[test]
fn sessions_go_to_a_file() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    let effects = stage.press("3e");
    let exported = effects.iter().find_map(|effect| match effect {
        Effect::Export(name, text) => Some((name.as_str(), text.as_str())),
        _ => None,
    });
    let (name, text) = exported.expect("an export");
    assert_eq!(name, "sessions.csv");
    assert!(text.starts_with("session,charger,connector"), "{text}");
    assert!(text.contains(",10346,10346,10332,"), "{text}");
}
