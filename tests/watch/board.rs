//! The screen board.

use crate::night::Night;
use crate::stage::golden;

#[test]
fn board_at_every_size() {
    golden("board", &Night::whole(), "");
}

#[test]
fn a_board_without_a_judged_fact_says_so() {
    let night = Night::empty();
    let stage = crate::stage::Stage::open(&night, crate::stage::ASCII, (80, 24));
    let picture = stage.picture();
    assert!(
        picture.contains("No charger has been seen yet."),
        "{picture}"
    );
    assert!(picture.contains("Nobody is needed"), "{picture}");
}

#[test]
fn groups_stand_worst_first_with_their_wave() {
    let night = Night::grouped();
    let mut stage = crate::stage::Stage::open(&night, crate::stage::ASCII, (120, 40));
    let picture = stage.picture();
    let place = |name: &str| {
        picture
            .find(name)
            .unwrap_or_else(|| panic!("no {name}: {picture}"))
    };
    assert!(place("harbour-ac") < place("station-dc"), "{picture}");
    assert!(
        picture.contains("window          22:00 to 05:00")
            && picture.contains("groups          harbour-ac"),
        "{picture}"
    );
    stage.press("/group:station*<Enter>");
    let picture = stage.picture();
    assert!(
        picture.contains("GROUPS 1") && !picture.contains("> ! harbour"),
        "{picture}"
    );
}

#[test]
fn a_verdict_is_the_gates_and_turns_stale_with_the_data() {
    let night = Night::gated(evenkeel::estate::gate::file::DEFAULT);
    let mut stage = crate::stage::Stage::open(&night, crate::stage::ASCII, (120, 40));
    let picture = stage.picture();
    assert!(
        picture.contains("[x] NO-GO") || picture.contains("[?] HOLD"),
        "{picture}"
    );
    assert!(
        picture.contains("because") && !picture.contains("no gate"),
        "{picture}"
    );
    stage.now += 3_600_000_000;
    stage.tell(evenkeel::watch::app::Event::Time);
    let picture = stage.picture();
    assert!(
        picture.contains("[~] STALE") && !picture.contains("NO-GO  "),
        "{picture}"
    );
}
