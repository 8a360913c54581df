//! What a dashboard says of itself: frozen, stale, loading, failed, masked, filtered.

use evenkeel::watch::app::{App, Effect, Event, Reply, Setup};
use evenkeel::watch::still;
use evenkeel::watch::text::Zone;

use crate::night::{NOW, Night};
use crate::stage::{ASCII, Stage};

/// What must not be seen on a masked screen.
const PRIVATE: [&str; 6] = [
    "harbour-ac",
    "station-dc",
    "04A1B2C3D4",
    "04B10C4ED0",
    "NL-ABC-C1",
    "\"T1\"",
];

#[test]
fn silence_is_a_state_and_an_alarm() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    assert!(!stage.picture().contains("STALE"));
    stage.now = NOW + 3_600_000_000;
    stage.tell(Event::Time);
    let picture = stage.picture();
    assert!(
        picture.contains("STALE 1h00: no data since 14:08:09"),
        "{picture}"
    );
    assert!(
        picture.contains("verdicts are HOLD") && picture.contains("ALERTS 2"),
        "{picture}"
    );
    stage.resize((40, 10));
    assert!(stage.picture().starts_with("STALE"), "{}", stage.picture());
}

#[test]
fn an_alarm_sounds_once_and_can_be_silenced_by_name() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.now = NOW + 3_600_000_000;
    let rung = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Bell(_)))
            .count()
    };
    assert_eq!(rung(&stage.tell(Event::Time)), 1);
    assert_eq!(rung(&stage.tell(Event::Time)), 0);
    stage.press(":ack<Enter>");
    assert!(stage.picture().contains("who acknowledges?"));
    stage.press(":ack Ops<Enter>");
    assert!(
        stage.picture().contains("Ops has seen 2 alarms"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_frozen_screen_says_how_far_behind_it_is_and_shows_alarms() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("5<Space>");
    let frozen = stage.picture();
    assert!(
        frozen.contains("FROZEN 0.0s, 0 facts behind, 1 alarms"),
        "{frozen}"
    );
    let mut pulse = stage.books.pulse().unwrap();
    pulse.facts += 214;
    pulse.alarms[0].says = "something burns".to_owned();
    stage.now += 72_000_000;
    stage.tell(Event::Pulse(std::sync::Arc::new(pulse)));
    let picture = stage.picture();
    assert!(
        picture.contains("FROZEN 1m12, 214 facts behind, 1 alarms: something burns"),
        "{picture}"
    );
    stage.press("<Space>");
    assert!(!stage.picture().contains("FROZEN"));
}

#[test]
fn loading_empty_and_failed_are_three_sentences() {
    let setup = Setup {
        theme: ASCII,
        zone: Zone::Fixed(0),
        mask: String::new(),
        reveal: false,
        demo: true,
        operator: None,
        role: String::new(),
        filters: Vec::new(),
    };
    let mut app = App::new(setup);
    let effects = app.on(Event::Size(120, 40), NOW);
    let Some(Effect::Ask(request)) = effects.into_iter().next() else {
        panic!("nothing asked")
    };
    let loading = still::picture(&app);
    assert!(
        loading.contains("Reading the recording") && loading.contains("DEMO"),
        "{loading}"
    );
    let answer = Err("database is locked".to_owned());
    app.on(
        Event::Reply(Reply {
            number: request.number,
            answer,
        }),
        NOW,
    );
    assert!(
        still::picture(&app).contains("Cannot be read: database is locked."),
        "{}",
        still::picture(&app)
    );
    let night = Night::empty();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("6");
    assert!(
        stage.picture().contains("No charger has connected yet."),
        "{}",
        stage.picture()
    );
}

#[test]
fn nothing_private_is_seen_until_it_is_asked_for() {
    let night = Night::whole();
    for keys in ["1", "2", "3", "4", "5", "6", "5kkk<Enter>"] {
        let mut stage = Stage::open(&night, ASCII, (200, 60));
        stage.press(keys);
        for word in PRIVATE {
            assert!(
                !stage.picture().contains(word),
                "{word} on {keys}: {}",
                stage.picture()
            );
        }
    }
    let mut stage = Stage::open(&night, ASCII, (200, 60));
    stage.press("5P");
    assert!(
        stage.picture().contains("harbour-ac-02"),
        "{}",
        stage.picture()
    );
}

#[test]
fn a_filter_is_checked_while_it_is_written_and_completed() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("5/outcom:");
    let picture = stage.picture();
    assert!(picture.contains("invalid:"), "{picture}");
    stage.press("<Enter>");
    assert!(
        stage.picture().contains("invalid:"),
        "a wrong filter is not taken"
    );
    for _ in 0.."outcom:".len() {
        stage.press("<Backspace>");
    }
    stage.press("outco<Tab>div<Tab><Enter>");
    let picture = stage.picture();
    assert!(picture.contains("filter: outcome:divergent"), "{picture}");
    assert!(!picture.contains("equal"), "{picture}");
    stage.press("<Esc>");
    assert!(stage.picture().contains("the filter is gone"));
}

#[test]
fn a_masked_cell_filters_by_what_is_meant() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("5k<Right><Right>F");
    let picture = stage.picture();
    assert!(picture.contains("filter: charger:"), "{picture}");
    assert!(!picture.contains("station-dc"), "{picture}");
    let lines = picture
        .lines()
        .filter(|line| line.contains("txydhvo-ep-19"))
        .count();
    assert!(lines > 5, "{picture}");
}

#[test]
fn drilling_down_leaves_a_trail_back() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("<Enter>");
    assert_eq!(stage.app.crumbs(), ["Board", "Gate"]);
    stage.press("v");
    assert_eq!(stage.app.crumbs(), ["Board", "Gate", "Coverage"]);
    stage.press("<Esc><Esc>");
    assert_eq!(stage.app.crumbs(), ["Board"]);
}

#[test]
fn the_tour_has_six_steps_on_the_six_screens() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("T");
    for step in 1..=6 {
        let picture = stage.picture();
        assert!(picture.contains(&format!("TOUR {step} of 6")), "{picture}");
        assert_eq!(usize::from(stage.app.screen().number()), step);
        stage.press("<Enter>");
    }
    assert!(stage.picture().contains("that was the tour"));
}

#[test]
fn what_is_copied_and_kept_is_what_is_seen() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    let effects = stage.press("5y");
    let [Effect::Copy(text)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert!(
        text.contains("**txydhvo-ep-19** StatusNotification equal"),
        "{text}"
    );
    let effects = stage.press("w");
    let [Effect::Evidence(json)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    for word in PRIVATE {
        assert!(!json.contains(word), "{word}: {json}");
    }
    let folder = tempfile::tempdir().unwrap();
    let outside = evenkeel::watch::outside::Outside::new(folder.path().to_owned());
    let picture = still::picture(&stage.app);
    let first = outside.evidence((&picture, json), NOW).unwrap();
    let second = outside.evidence((&picture, json), NOW).unwrap();
    assert_ne!(first, second, "evidence is never written over");
    assert_eq!(
        std::fs::read_to_string(first.join("screen.txt")).unwrap(),
        picture
    );
    let sums = std::fs::read_to_string(first.join("SHA256SUMS")).unwrap();
    let checked = std::process::Command::new("sha256sum")
        .arg("-c")
        .arg("SHA256SUMS")
        .current_dir(&first)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{sums}{checked:?}");
}

#[test]
fn a_filter_is_saved_under_a_name_and_chosen_again() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    assert_eq!(stage.press("2:save mine<Enter>"), []);
    assert!(stage.picture().contains("nothing is filtered here"));
    let kept = stage.press("/severity:S1<Enter>:save mine<Enter>");
    let mine = ("mine".to_owned(), "severity:S1".to_owned());
    assert_eq!(kept, [Effect::KeepFilter(mine.0, mine.1)]);
    stage.press("<Esc>f");
    assert!(
        stage.picture().contains("mine             severity:S1"),
        "{}",
        stage.picture()
    );
    stage.press("<Down><Down><Down><Down><Enter>");
    assert!(
        stage.picture().contains("filter: severity:S1"),
        "{}",
        stage.picture()
    );
}
