//! The ladder of one charger or session.

use evenkeel::watch::app::Effect;

use crate::night::Night;
use crate::stage::{ASCII, Stage, golden};

#[test]
fn a_session_at_every_size() {
    golden("trace-session", &Night::whole(), "3<Enter>");
}

#[test]
fn a_finding_at_every_size() {
    golden("trace-finding", &Night::whole(), "2<Enter>");
}

#[test]
fn divergences_are_stepped_through_and_runs_unfold() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2<Enter>");
    assert!(
        stage.picture().contains("6 Authorize, all equal"),
        "{}",
        stage.picture()
    );
    // To the fenced command, and back to the run.
    stage.press("nn");
    let picture = stage.picture();
    assert!(
        picture.contains("Reset (fenced)") && picture.contains("not delivered"),
        "{picture}"
    );
    assert!(picture.contains("the charger never heard"), "{picture}");
    stage.press("g<Down><Down><Enter>");
    assert!(
        !stage.picture().contains("all equal"),
        "{}",
        stage.picture()
    );
    stage.press("<Enter>");
    assert!(
        stage.picture().contains("6 Authorize, all equal"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_gap_and_what_was_withheld_are_on_the_ladder() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2/charger:harbour-ac-01<Enter><Enter>");
    let picture = stage.picture();
    assert!(picture.contains("gap: 2 frames not recorded"), "{picture}");
    assert!(picture.contains("withheld queue"), "{picture}");
    assert!(picture.contains("the connection ended"), "{picture}");
}

#[test]
fn the_ladder_goes_to_a_file_and_to_the_clipboard() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    let effects = stage.press("2<Enter>ey");
    let mut exported = effects.iter().filter_map(|effect| match effect {
        Effect::Export(name, text) => Some((name.as_str(), text.as_str())),
        _ => None,
    });
    let (name, text) = exported.next().expect("an export");
    assert!(
        name.starts_with("ladder-") && text.contains("tap sequence, not clock"),
        "{name}: {text}"
    );
    assert!(text.contains("-- Authorize --"), "{text}");
    let copied = effects
        .iter()
        .any(|effect| matches!(effect, Effect::Copy(text) if text.contains("idTagInfo.status")));
    assert!(copied, "{effects:?}");
}

#[test]
fn tags_are_masked_until_somebody_shows_them() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2<Enter>r<Tab>zu");
    assert!(
        !stage.picture().contains("04B10C4ED0"),
        "{}",
        stage.picture()
    );
    assert!(
        !stage.picture().contains("harbour-ac-02"),
        "{}",
        stage.picture()
    );
    stage.press("P");
    assert!(
        stage.picture().contains("04B10C4ED0"),
        "{}",
        stage.picture()
    );
}
