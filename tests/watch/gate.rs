//! Screen 4, without a gate file: no verdict is made up.

use crate::night::Night;
use crate::stage::{ASCII, Stage, golden};

#[test]
fn gate_at_every_size() {
    golden("gate", &Night::whole(), "4");
}

#[test]
fn without_a_gate_file_there_is_no_verdict_and_nothing_to_decide() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    stage.press("4");
    let picture = stage.picture();
    assert!(picture.contains("none: no gate file"), "{picture}");
    for verdict in ["GO+", "] GO", "NO-GO", "ROLL"] {
        assert!(!picture.contains(verdict), "{verdict}: {picture}");
    }
    stage.press("D");
    assert!(
        stage
            .picture()
            .contains("nothing can be decided without a gate file"),
        "{}",
        stage.picture()
    );
}
