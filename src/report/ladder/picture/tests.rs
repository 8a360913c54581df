use super::*;
use crate::ledger::row::Subject;

/// An exchange of the fact `id` that both backends answered, and one that the candidate did not answer.
fn story() -> Story {
    let item = |id: u64, outcome: &str, theirs: u64| Item {
        subject: Subject::Exchange,
        id,
        at: id as i64 * 1_000_000,
        conn: 1,
        action: "Authorize".to_owned(),
        authority: "legacy".to_owned(),
        outcome: outcome.to_owned(),
        reason: String::new(),
        detail: String::new(),
        severity: None,
        facts: [id, id + 2, theirs],
        sent: id + 1,
        answered_us: [Some(41_000), Some(63_000)],
        queue_us: Some(500),
        findings: Vec::new(),
    };
    Story {
        items: vec![item(10, "equal", 13), item(20, "divergent", 0)],
        said: [(12, "Accepted"), (13, "Accepted"), (22, "<Blocked>")]
            .map(|(seq, said)| (seq, said.to_owned()))
            .into(),
        fates: [(20, "no answer in 30.0 s".to_owned())].into(),
        events: Vec::new(),
    }
}

#[test]
fn the_drawing_and_its_twin_say_the_same() {
    let picture = Picture::of(&story(), 20);
    let twin = text(&picture);
    assert_eq!(
        twin,
        "      0.000  charger   -> legacy     Authorize\n\
         \u{20}     0.000  legacy    ~> candidate  copy\n\
         \u{20}     0.041  legacy    -> charger    Accepted\n\
         \u{20}=    0.063  candidate ~> charger    Accepted\n\
         >    10.000  charger   -> legacy     Authorize\n\
         >    10.000  legacy    ~> candidate  copy\n\
         >    10.041  legacy    -> charger    <Blocked>\n\
         >x           candidate     (no answer in 30.0 s)\n"
    );
    let drawn = svg(&picture, "a & b");
    for line in &picture.lines {
        assert!(
            drawn.contains(&crate::report::escape::markup(&line.label)),
            "{}",
            line.label
        );
    }
    assert!(drawn.contains("aria-label=\"a &amp; b\"") && !drawn.contains("<Blocked>"));
    assert_eq!(drawn.matches("class=\"step").count(), picture.lines.len());
}

#[test]
fn runs_of_equal_steps_are_counted_instead_of_drawn() {
    let mut story = story();
    let first = story.items.remove(0);
    for id in [11_u64, 12, 13, 14, 15] {
        story.items.insert(
            0,
            Item {
                id: 16 - id,
                facts: [16 - id, 0, 0],
                ..first.clone()
            },
        );
    }
    story.items.sort_by_key(|item| item.id);
    let picture = Picture::of(&story, 20);
    assert_eq!(picture.folded, 4);
    assert!(text(&picture).contains("4 equal steps are left out"));
}
