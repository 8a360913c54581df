//! Notes from the dashboard: view only by default, never by accident, and written like any other.

use evenkeel::cli::triage;
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::row::State;
use evenkeel::watch::app::Effect;
use evenkeel::watch::notes;
use evenkeel::watch::triage::Wish;

use crate::night::Night;
use crate::stage::{Stage, UNICODE};

fn wishes(effects: Vec<Effect>) -> Vec<Wish> {
    let wish = |effect| match effect {
        Effect::Note(notes::Wish::Note(wish)) => Some(wish),
        _ => None,
    };
    effects.into_iter().filter_map(wish).collect()
}

fn a_finding(night: &Night) -> String {
    let reader = Reader::open(&night.place()).unwrap();
    reader.findings(&Filter::default()).unwrap()[0].id.clone()
}

#[test]
fn who_only_views_writes_nothing_and_is_told_why() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, UNICODE, (120, 40));
    assert_eq!(wishes(stage.press("2t")), []);
    assert!(
        stage
            .picture()
            .contains("view only: `watch --operate NAME` or `evenkeel triage`")
    );
    assert!(stage.picture().contains("view only"));
}

#[test]
fn the_dialog_writes_a_note_only_where_it_is_told_to() {
    let night = Night::whole();
    let finding = a_finding(&night);
    let mut stage = Stage::operated(&night, (80, 24), "ops");
    let open = format!(":triage {finding}<Enter>");
    assert_eq!(wishes(stage.press(&open)), []);
    let shown = stage.picture();
    assert!(
        shown.contains(&format!("TRIAGE {finding}")) && shown.contains("> Cancel <"),
        "{shown}"
    );
    assert!(shown.contains("OPERATE ops"), "{shown}");
    assert_eq!(wishes(stage.press("<Esc>2t<Enter>2t")), []);
    assert!(stage.picture().contains("TRIAGE F-"), "{}", stage.picture());
    // Neither Enter nor Esc writes, nor does any letter.
    assert_eq!(wishes(stage.press("ttyYwW<Enter>")), []);
    assert!(!stage.picture().contains("TRIAGE"));
    assert_eq!(wishes(stage.press(&format!("{open}<Esc>"))), []);
    // From Cancel to the button beside it.
    let wishes = wishes(stage.press(&format!("{open}<Tab><Enter>")));
    let [wish] = wishes.as_slice() else {
        panic!("{wishes:?}");
    };
    assert_eq!(
        (&wish.finding, wish.state, wish.owner.as_str()),
        (&finding, State::Known, "ops")
    );
    let said = triage::write(&night.place(), wish).unwrap();
    assert!(
        said.starts_with("noted as fact ") && said.ends_with(" is known"),
        "{said}"
    );
    let reader = Reader::open(&night.place()).unwrap();
    let life = reader.finding(&finding).unwrap().unwrap().life;
    assert_eq!(life.state(), State::Known);
    // What the command line would refuse is refused here too.
    let accepted = Wish {
        state: State::Accepted,
        until: "yesterday".to_owned(),
        reason: "why not".to_owned(),
        ..wish.clone()
    };
    assert_eq!(
        triage::write(&night.place(), &accepted).unwrap_err().code,
        "TRI-003"
    );
}
