//! A group on its way: what is missing is an alarm, what was rehearsed is counted on, and people are told.

use std::sync::Arc;

use evenkeel::cli::decide;
use evenkeel::estate::gate::Outcome;
use evenkeel::ledger::query::Reader;
use evenkeel::ledger::row::Word;
use evenkeel::watch::app::{Effect, Event};
use evenkeel::watch::decide::Wish;
use evenkeel::watch::gate::Gate;
use evenkeel::watch::keys::Action;
use evenkeel::watch::notes;
use evenkeel::watch::screen::Screen as _;
use evenkeel::watch::snapshot::Answer;

use crate::night::{NOW, Night};
use crate::stage::{ASCII, Stage, golden};

#[test]
fn a_switch_that_lacks_a_charger_at_every_size() {
    golden("board-moved", &Night::moved(), "");
}

#[test]
fn a_charger_that_is_missing_after_a_switch_is_an_alarm_that_pierces() {
    let night = Night::moved();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    let picture = stage.picture();
    assert!(
        picture.contains("1 charger not back after the"),
        "{picture}"
    );
    assert!(picture.contains("a roll-back takes"), "{picture}");
    assert!(
        !picture.contains("harbour-ac-02"),
        "names are masked: {picture}"
    );
    stage.press("<Space>");
    let picture = stage.picture();
    assert!(
        picture.contains("FROZEN")
            && picture.contains("alarms: 1 charger not back after the switch"),
        "{picture}"
    );
    stage.press("<Space>P/verdict:GO<Enter>");
    let rung = |effects: &[Effect]| effects.iter().any(|it| matches!(it, Effect::Bell(_)));
    assert!(!rung(&stage.tell(Event::Time)), "it has sounded");
    // The worst comes first where there is room for nothing else.
    stage.resize((40, 10));
    assert!(stage.picture().contains("ALERTS"), "{}", stage.picture());
    // Another charger that is missing sounds anew.
    let mut pulse = stage.books.pulse().unwrap();
    assert!(
        pulse.alarms[0].says.ends_with("harbour-ac-02"),
        "{:?}",
        pulse.alarms
    );
    let one = pulse.clone();
    let more = "missing harbour-ac-03".to_owned();
    pulse.alarms[0].keys.push(more);
    let effects = stage.tell(Event::Pulse(std::sync::Arc::new(pulse)));
    assert!(rung(&effects), "{effects:?}");
    // One that is back is no news to be woken by.
    let effects = stage.tell(Event::Pulse(std::sync::Arc::new(one)));
    assert!(!rung(&effects), "{effects:?}");
}

#[test]
fn people_are_told_of_the_switch_and_who_is_missing() {
    let night = Night::moved();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("4/group:harbour<Enter>c");
    let picture = stage.picture();
    assert!(
        picture.contains("1 of 2 chargers have arrived"),
        "{picture}"
    );
    assert!(picture.contains("Please look at"), "{picture}");
    assert!(!picture.contains("harbour-ac-02"), "{picture}");
    stage.press("P");
    assert!(
        stage
            .picture()
            .contains("harbour-ac-02 (not back in time)."),
        "{}",
        stage.picture()
    );
}

#[test]
fn the_last_safe_start_counts_on_the_roll_back_that_was_carried_out() {
    let night = Night::rehearsed();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("4/group:harbour<Enter>");
    let picture = stage.picture();
    // Ten minutes were measured; four had been planned.
    assert!(picture.contains("takes about 10 min"), "{picture}");
    assert!(picture.contains("last safe start 12-02 04:20"), "{picture}");
    stage.press("1");
    assert!(
        stage.picture().contains("last safe start 12-02 04:20"),
        "{}",
        stage.picture()
    );
    stage.resize((80, 24));
    assert!(
        stage.picture().contains("last safe start 12-02 04:20"),
        "{}",
        stage.picture()
    );
}

fn decisions(effects: Vec<Effect>) -> Vec<Wish> {
    let wish = |effect| match effect {
        Effect::Note(notes::Wish::Decision(wish)) => Some(wish),
        _ => None,
    };
    effects.into_iter().filter_map(wish).collect()
}

#[test]
fn a_decision_needs_a_capital_letter_the_typed_name_and_a_button() {
    let night = Night::gated(evenkeel::estate::gate::file::DEFAULT);
    let mut stage = Stage::operated(&night, (120, 40), "bob");
    stage.press("4/group:harbour-ac<Enter>D");
    let picture = stage.picture();
    assert!(
        picture.contains("DECIDE harbour-ac") && picture.contains("> Cancel <"),
        "{picture}"
    );
    assert!(picture.contains("verdict  "), "{picture}");
    // No letter and neither Enter nor Esc decides; the button alone does not either.
    assert_eq!(decisions(stage.press("DdgGyYrR<Enter>")), []);
    assert_eq!(decisions(stage.press("D<Esc>")), []);
    assert_eq!(decisions(stage.press("D<Tab><Enter>")), []);
    assert!(stage.picture().contains("type the group's name as it is"));
    // From the button over Cancel to the name, and back.
    let wishes = decisions(stage.press("<Up><Up>harbour-ac<Tab><Tab><Enter>"));
    let [wish] = wishes.as_slice() else {
        panic!("{wishes:?}")
    };
    assert_eq!(
        (wish.word, wish.group.as_str(), wish.by.as_str()),
        (Word::Hold, "harbour-ac", "bob")
    );
    let said = decide::write(&night.place(), None, wish).unwrap();
    assert!(
        said.starts_with("recorded as fact ") && said.contains("hold for harbour-ac"),
        "{said}"
    );
    let reader = Reader::open(&night.place()).unwrap();
    let last = reader.decisions(Some("harbour-ac")).unwrap().pop().unwrap();
    assert_eq!(last.decided.by, "bob");
}

/// The criterion that an exception would be of, as the hint for the command line names it.
fn selected(stage: &mut Stage<'_>) -> String {
    let hint = stage.app.screen().unavailable(Action::Exception).unwrap();
    hint.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn nothing_is_decided_by_what_is_not_of_now() {
    let night = Night::gated(evenkeel::estate::gate::file::DEFAULT);
    let mut stage = Stage::operated(&night, (120, 40), "bob");
    stage.press("4/group:harbour-ac<Enter><Space>D");
    let picture = stage.picture();
    assert!(
        picture.contains("Esc first") && !picture.contains("DECIDE harbour-ac"),
        "{picture}"
    );
    stage.press("<Space>");
    stage.now = NOW + 600_000_000;
    stage.tell(Event::Time);
    stage.press("D");
    let picture = stage.picture();
    assert!(
        picture.contains("verdict  STALE: the tap is silent; it said"),
        "{picture}"
    );
    stage.press("<Up>harbour-ac<Tab><Tab><Tab><Left><Up><Enter>");
    let picture = stage.picture();
    assert!(
        picture.contains("go is unavailable: the verdict is STALE"),
        "{picture}"
    );
}

#[test]
fn the_selected_criterion_stays_selected_when_others_come_before_it() {
    let night = Night::gated(evenkeel::estate::gate::file::DEFAULT);
    let mut stage = Stage::operated(&night, (120, 40), "bob");
    stage.press("4/group:harbour-ac<Enter><Down>");
    let chosen = selected(&mut stage);
    let asked = stage.app.screen().question(20);
    let Ok(Answer::Gate(data)) = stage.books.answer(&asked) else {
        panic!("{asked:?}")
    };
    let mut data = (*data).clone();
    let said = data.said.as_mut().unwrap();
    let mut report = (*said.report).clone();
    for it in &mut report.criteria {
        it.result = if it.id == chosen {
            Outcome::Met
        } else {
            Outcome::Failed
        };
    }
    said.report = Arc::new(report);
    let mut gate = Gate::default();
    gate.hear(stage.books.answer(&asked).map_err(|why| why.to_string()));
    gate.act(Action::Down);
    gate.hear(Ok(Answer::Gate(Arc::new(data))));
    let hint = gate.unavailable(Action::Exception).unwrap();
    assert!(hint.ends_with(&format!("--criterion {chosen}")), "{hint}");
}

#[test]
fn what_may_not_be_decided_is_refused_and_says_why() {
    let night = Night::gated(evenkeel::estate::gate::file::DEFAULT);
    let mut stage = Stage::operated(&night, (80, 24), "bob");
    stage.press("4/group:harbour-ac<Enter>D<Up>harbour-ac<Tab><Tab><Tab><Left><Up><Enter>");
    let picture = stage.picture();
    assert!(
        picture.contains("go is unavailable: the verdict is"),
        "{picture}"
    );
    // Who carries it out looks again: nothing rests on what a screen believed.
    let wish = Wish {
        word: Word::Go,
        group: "harbour-ac".to_owned(),
        by: "bob".to_owned(),
        role: "Ops".to_owned(),
        reason: "now".to_owned(),
        exception: None,
    };
    assert_eq!(
        decide::write(&night.place(), None, &wish).unwrap_err().code,
        "DEC-002"
    );
    // An exception is of the selected criterion.
    stage.press("<Esc>x");
    let picture = stage.picture();
    assert!(
        picture.contains(&format!("EXCEPTION {} harbour-ac", selected(&mut stage))),
        "{picture}"
    );
    assert!(picture.contains("excepts  "), "{picture}");
    // Elsewhere there is nothing to decide about.
    stage.press("<Esc>2D");
    assert!(!stage.picture().contains("DECIDE"), "{}", stage.picture());
    assert_eq!(NOW, stage.now);
}
