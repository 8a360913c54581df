//! Model by action.

use crate::night::Night;
use crate::stage::{ASCII, Stage, golden};

#[test]
fn coverage_at_every_size() {
    golden("coverage", &Night::whole(), "4v");
}

#[test]
fn what_was_never_exercised_is_said_so() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("4v");
    let picture = stage.picture();
    assert!(picture.contains("FirmwareStatusNotification"), "{picture}");
    assert!(
        picture.contains("never") && picture.contains("thin 8"),
        "{picture}"
    );
    stage.press("<Enter>");
    assert!(
        stage.picture().contains("FINDINGS"),
        "a cell leads to what differs there"
    );
}
