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
