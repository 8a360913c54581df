//! The screen tap.

use crate::night::Night;
use crate::stage::golden;

#[test]
fn tap_at_every_size() {
    golden("tap", &Night::whole(), "6");
}
