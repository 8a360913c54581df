//! Screen 2: findings, and the texts behind them.

use evenkeel::watch::app::Effect;

use crate::night::Night;
use crate::stage::{ASCII, Stage, golden};

#[test]
fn findings_at_every_size() {
    golden("diffs", &Night::whole(), "2");
}

#[test]
fn a_finding_leads_to_the_bytes_that_differ_by_keys_alone() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2");
    let picture = stage.picture();
    assert!(picture.contains("> S1"), "the worst is selected: {picture}");
    assert!(picture.contains("idTagInfo.status"), "{picture}");
    // The field is there before any other key is pressed; r shows the texts as they were sent.
    assert!(
        picture.contains("\"Blocked\"") && picture.contains("\"Accepted\""),
        "{picture}"
    );
    stage.press("rzzr");
    stage.press("<Enter>");
    let ladder = stage.picture();
    assert!(
        ladder.contains("-- Authorize --") && ladder.contains("Blocked"),
        "{ladder}"
    );
    stage.press("<Tab>zr");
    let raw = stage.picture();
    assert!(
        raw.contains("L    \"idTagInfo\"") || raw.contains("\"status\": \"Blocked\""),
        "{raw}"
    );
    assert!(
        raw.contains("C ") && raw.contains("\"status\": \"Accepted\""),
        "{raw}"
    );
    // And back: Esc undoes each step.
    stage.press("<Esc><Esc>");
    assert!(stage.picture().contains("FINDINGS"), "{}", stage.picture());
}

#[test]
fn sightings_are_stepped_through_and_counted() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2");
    assert!(
        stage.picture().contains("exemplar 1 of 2"),
        "{}",
        stage.picture()
    );
    stage.press("n");
    assert!(
        stage.picture().contains("exemplar 2 of 2"),
        "{}",
        stage.picture()
    );
    stage.press("n");
    assert!(
        stage.picture().contains("this is the last sighting"),
        "{}",
        stage.picture()
    );
    stage.press("NN");
    assert!(
        stage.picture().contains("this is the first sighting"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_filter_says_what_it_hides() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    stage.press("2/action:Authorize<Enter>");
    let picture = stage.picture();
    assert!(picture.contains("FINDINGS 1 of"), "{picture}");
    stage.press("/action:Nothing<Enter>");
    assert!(
        stage.picture().contains("The filter hides some"),
        "{}",
        stage.picture()
    );
    stage.press("<Esc>");
    assert!(
        !stage.picture().contains("hides some"),
        "{}",
        stage.picture()
    );
    // From the selected cell.
    stage.press("F");
    assert!(
        stage.picture().contains("severity:S1"),
        "{}",
        stage.picture()
    );
}

#[test]
fn what_cannot_be_had_yet_says_why() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    stage.press("2t");
    assert!(
        stage.picture().contains("evenkeel triage"),
        "{}",
        stage.picture()
    );
}

#[test]
fn two_marked_messages_stand_beside_each_other() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2m");
    assert!(stage.picture().contains("is marked: m on another"));
    stage.press("nm");
    let picture = stage.picture();
    assert!(
        picture.contains("Authorize seq") && picture.contains(" beside "),
        "{picture}"
    );
    assert!(
        picture.contains("FIRST") && picture.contains("SECOND"),
        "{picture}"
    );
    assert!(
        picture.contains("idTagInfo.status") && picture.contains("3 equal"),
        "{picture}"
    );
    // In a trace, with a message of another kind.
    stage.resize((60, 15));
    stage.press("<Esc><Enter>mg<Down>m");
    let picture = stage.picture();
    assert!(
        picture.contains("beside BootNotification") && picture.contains("chargePointModel"),
        "{picture}"
    );
    stage.press("<Esc>mm");
    assert!(
        stage.picture().contains("is marked no longer"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_bundle_is_made_of_the_selected_finding() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    let made = [Effect::Bundle("F-G7FWS8RF".to_owned())];
    assert_eq!(stage.press("2b"), made);
    // In its trace too, where a message that shows it is selected.
    assert_eq!(stage.press("<Enter>b"), made);
    stage.press("6b");
    assert_eq!(stage.press("1b"), []);
}

#[test]
fn findings_are_filtered_by_group_and_wave() {
    let night = Night::planned();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("2/group:station<Enter>");
    let picture = stage.picture();
    assert!(picture.contains("FINDINGS 3 of 6"), "{picture}");
    assert!(!picture.contains("F-G7FWS8RF"), "{picture}");
    stage.press("<Esc>/wave:pilot severity:S1<Enter>");
    assert!(
        stage.picture().contains("F-G7FWS8RF"),
        "{}",
        stage.picture()
    );
    stage.press("3/group:station<Enter>");
    assert!(stage.picture().contains("1 of 1"), "{}", stage.picture());
    stage.press("<Esc><Esc>3/wave:pilot<Enter>");
    assert!(stage.picture().contains("0 of 1"), "{}", stage.picture());
    // What the gate says of a group is asked for like the group.
    stage.press("2<Esc>/verdict:NO-GO group:station<Enter>");
    assert!(
        stage.picture().contains("FINDINGS 3 of 6"),
        "{}",
        stage.picture()
    );
    stage.press("<Esc>/verdict:GO<Enter>");
    assert!(
        stage.picture().contains("FINDINGS 0 of 6"),
        "{}",
        stage.picture()
    );
    stage.press("<Esc>3<Esc>/verdict:NO-GO<Enter>");
    assert!(stage.picture().contains("1 of 1"), "{}", stage.picture());
    // From the board a group's own findings open.
    stage.press("1<Down>d");
    let picture = stage.picture();
    assert!(picture.contains("Board > Diffs"), "{picture}");
    assert!(picture.contains("FINDINGS 3 of 6"), "{picture}");
}

#[test]
fn an_empty_night_has_a_sentence() {
    let night = Night::empty();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    stage.press("2");
    assert!(
        stage.picture().contains("No divergence has been found yet"),
        "{}",
        stage.picture()
    );
    stage.press("3");
    assert!(
        stage.picture().contains("No session yet"),
        "{}",
        stage.picture()
    );
    stage.press("4v");
    assert!(
        stage.picture().contains("Nothing has been exercised yet"),
        "{}",
        stage.picture()
    );
}
