//! The screen feed.

use crate::night::Night;
use crate::stage::golden;

#[test]
fn feed_at_every_size() {
    golden("feed", &Night::whole(), "5");
}
