//! Keys: what is bound works, what works is explained, and nothing that is pressed breaks or writes anything.

use std::collections::BTreeMap;

use evenkeel::watch::app::{App, Effect, Event};
use evenkeel::watch::help::Help;
use evenkeel::watch::keys::{self, Key, TABLE};
use evenkeel::watch::still;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::night::Night;
use crate::stage::{ASCII, Stage};

/// How each screen and overlay is reached: the six, what opens on top of them, and what lies over them.
const PLACES: [&str; 20] = [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "2<Enter>",
    "3<Enter>",
    "5kk<Enter>",
    "6<Enter>",
    "4v",
    "2mnm",
    "4c",
    "/",
    ":",
    "?<Down><Down>",
    "f<Down>",
    "T",
    ":triage F-G7FWS8RF<Enter>",
    "4D",
];

/// Presses each key that the footer shows there: something changes, something is done outside, or it says why not.
fn press_every_key(stage: &mut Stage<'_>, place: &str) {
    let reach = |stage: &mut Stage<'_>| {
        stage.reopen();
        stage.press(place);
        // What was said on the way must not be taken for an answer.
        stage.now += 10_000_000;
        stage.tell(Event::Time);
    };
    reach(stage);
    let footer = keys::footer(&stage.app.scopes());
    assert!(footer.len() > 1, "{place}");
    for binding in footer {
        reach(stage);
        let before = stage.picture();
        let bound = keys::action(&stage.app.scopes(), binding.key);
        assert_eq!(bound, Some(binding.action), "{place}");
        let effects = stage.tell(Event::Key(binding.key));
        assert!(
            stage.picture() != before || !effects.is_empty(),
            "{place}: {} {} does nothing\n{before}",
            binding.key.word(),
            binding.word
        );
    }
}

#[test]
fn every_key_of_a_footer_does_something_there() {
    let planned = Night::planned();
    let mut operated = Stage::operated(&planned, (120, 40), "ops");
    let mut viewed = Stage::open(&planned, ASCII, (80, 24));
    for place in PLACES {
        press_every_key(&mut operated, place);
        press_every_key(&mut viewed, place);
    }
}

#[test]
fn where_nothing_is_known_yet_every_key_says_so() {
    let empty = Night::empty();
    let mut stage = Stage::open(&empty, ASCII, (80, 24));
    for place in ["1", "2", "3", "4", "5", "6"] {
        press_every_key(&mut stage, place);
    }
}

/// Somebody who has read nothing follows what the footer says: from the board to why a group may not go, and to the message
/// that differs. Each step is one key.
#[test]
fn why_a_group_may_not_go_leads_to_the_message_that_differs() {
    let night = Night::planned();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    assert!(stage.picture().contains("harbour is NO-GO because"));
    for (word, seen) in [
        ("gate", "WHY"),
        ("evidence", "FINDINGS"),
        ("trace", "TRACE"),
    ] {
        let picture = stage.picture();
        let footer = picture.lines().last().unwrap_or_default();
        assert!(footer.contains(&format!("Enter {word}")), "{footer}");
        stage.press("<Enter>");
        assert!(stage.picture().contains(seen), "{}", stage.picture());
    }
    let picture = stage.picture();
    assert!(
        picture.contains("\"Blocked\"") && picture.contains("\"Accepted\""),
        "{picture}"
    );
}

#[test]
fn the_help_lists_every_binding() {
    let night = Night::whole();
    let stage = Stage::open(&night, ASCII, (120, 40));
    let lines = Help::default().lines(&stage.app);
    for binding in TABLE {
        let name = format!("{:<10} {}", binding.scope.title(), binding.key.word());
        let found = lines
            .iter()
            .any(|(listed, says)| *listed == name && says.starts_with(binding.help));
        assert!(found, "{name}: {}", binding.help);
    }
}

#[test]
fn the_help_can_be_searched_and_tells_the_fields_of_the_screen() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("?evidence");
    let picture = stage.picture();
    assert!(
        picture.contains("Keeps the screen as evidence"),
        "{picture}"
    );
    assert!(!picture.contains("Starts a tour"), "{picture}");
    stage.press("<Esc>5?<Tab>");
    let picture = stage.picture();
    assert!(
        picture.contains("Filter language") && picture.contains("outcome:divergent"),
        "{picture}"
    );
    stage.press("<Tab>");
    assert!(
        stage.picture().contains("the charger never heard"),
        "{}",
        stage.picture()
    );
}

/// A generator that gives the same keys every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

fn any_key(dice: &mut Dice) -> Key {
    let named = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Backspace,
        Key::Delete,
        Key::Ctrl('u'),
        Key::Ctrl('x'),
    ];
    match dice.throw(3) {
        0 => named[dice.throw(named.len())],
        1 => TABLE[dice.throw(TABLE.len())].key,
        _ => Key::Char(char::from(b' ' + dice.throw(95) as u8)),
    }
}

/// The files of a recording with their contents.
fn files(night: &Night) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(night.place()).unwrap();
    let kept = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with("-shm"));
    kept.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn a_hundred_thousand_random_keys_break_nothing_and_write_nothing() {
    let night = Night::whole();
    let Stage {
        mut app,
        books,
        now,
        ..
    } = Stage::open(&night, ASCII, (120, 40));
    let before = files(&night);
    let facts = books.facts().last_seq().unwrap();
    let mut dice = Dice(7);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    for number in 0..100_000 {
        let effects = app.on(Event::Key(any_key(&mut dice)), now + number);
        let asked = effects.into_iter().find_map(|effect| match effect {
            Effect::Ask(request) => Some(request),
            _ => None,
        });
        // As a slow source would, most questions are overtaken before they are answered.
        if let Some(request) = asked.filter(|_| dice.throw(40) == 0) {
            let answer = books
                .answer(&request.question)
                .map_err(|error| error.to_string());
            let reply = evenkeel::watch::app::Reply {
                number: request.number,
                answer,
            };
            app.on(Event::Reply(reply), now + number);
        }
        if number % 250 == 0 {
            let size = (1 + dice.throw(140) as u16, 1 + dice.throw(50) as u16);
            draw_at(&mut app, &mut terminal, size, now + number);
        }
    }
    assert_eq!(books.facts().last_seq().unwrap(), facts);
    assert!(
        files(&night) == before,
        "a file of the recording has changed"
    );
}

fn draw_at(
    app: &mut App,
    terminal: &mut Terminal<TestBackend>,
    (width, height): (u16, u16),
    now: i64,
) {
    app.on(Event::Size(width, height), now);
    terminal.backend_mut().resize(width, height);
    terminal.draw(|frame| app.draw(frame)).unwrap();
}

#[test]
fn a_storm_of_sizes_leaves_no_torn_row() {
    let night = Night::whole();
    let mut dice = Dice(11);
    for place in PLACES {
        let mut stage = Stage::open(&night, ASCII, (120, 40));
        stage.press(place);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        let corners = [
            (1, 1),
            (1, 50),
            (200, 1),
            (60, 15),
            (59, 14),
            (80, 24),
            (79, 23),
            (110, 32),
        ];
        let random: Vec<(u16, u16)> = (0..12)
            .map(|_| (1 + dice.throw(200) as u16, 1 + dice.throw(60) as u16))
            .collect();
        for size in corners.into_iter().chain(random) {
            draw_at(&mut stage.app, &mut terminal, size, stage.now);
            // What was drawn over other sizes is what is drawn on an empty terminal.
            let fresh = still::picture(&stage.app);
            let mut kept = String::new();
            for row in terminal.backend().to_string().lines() {
                kept += row
                    .strip_prefix('"')
                    .and_then(|row| row.strip_suffix('"'))
                    .unwrap()
                    .trim_end();
                kept.push('\n');
            }
            assert_eq!(kept, fresh, "{place} at {size:?}");
        }
    }
}
