//! What the dashboard costs: bytes and CPU of a steady board with 3,000 chargers, and how soon a key is answered with a
//! million divergences in the ledger.
//!
//! `cargo bench --bench watch`; with a number behind `--` that many divergences instead.

#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a benchmark should end it"
)]

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel::facts::{Fact, Kind, Limits, Recorder};
use evenkeel::ledger::row::{Divergence, Exchange, Member, Outcome, Row, Subject};
use evenkeel::ledger::{Ledger, Pending};
use evenkeel::ocpp::Severity;
use evenkeel::watch::app::{App, Effect, Event, Reply, Setup};
use evenkeel::watch::books::Books;
use evenkeel::watch::keys::Key;
use evenkeel::watch::source;
use evenkeel::watch::text::Zone;
use evenkeel::watch::theme::{Colours, Theme};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde_json::json;

const CHARGERS: u64 = 3_000;
const FINDINGS: u64 = 400;
const BEGIN: i64 = 1_795_000_000_000_000;

/// What has been sent to the terminal, counted.
#[derive(Default, Clone)]
struct Counted(Rc<Cell<u64>>);

impl std::io::Write for Counted {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0.set(self.0.get() + piece.len() as u64);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() {
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return;
    }
    let wished = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let divergences: u64 = wished.unwrap_or(1_000_000);
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("night");
    let began = Instant::now();
    facts(&dir);
    ledger(&dir, divergences);
    println!(
        "made {divergences} divergences of {CHARGERS} chargers in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let books = Books::open(&dir).unwrap();
    answers(&books);
    keys(&books);
    steady(&books);
}

fn charger(number: u64) -> String {
    format!("site-{:04}-ac-{:02}", number / 8, number % 8)
}

/// A tap with every charger connected, and a tick a minute.
fn facts(dir: &Path) {
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    recorder
        .record(Fact::new(Kind::TapStarted, BEGIN).note(&json!({"authority": "legacy"})))
        .unwrap();
    for number in 0..CHARGERS {
        let fact = Fact::new(Kind::ConnOpened, BEGIN).on(&Arc::from(charger(number)), number + 1);
        recorder
            .record(fact.note(&json!({"subprotocol": "ocpp1.6"})))
            .unwrap();
    }
    for minute in 0..1_000 {
        let live = json!({"open": CHARGERS, "accepted": CHARGERS, "frames": minute * 6_000, "bytes": minute * 900_000, "lost": 0});
        let tick = Fact::new(Kind::Tick, BEGIN + minute * 60_000_000).note(&json!({"live": live}));
        recorder.record(tick).unwrap();
    }
    recorder.close(Duration::from_mins(1)).unwrap();
}

fn ledger(dir: &Path, divergences: u64) {
    let mut ledger = Ledger::open(dir, "bench").unwrap();
    let members = (0..CHARGERS).map(|number| {
        Row::Member(Member {
            charger: charger(number),
            group: "all".to_owned(),
            version: "1.6".to_owned(),
            since: number + 2,
        })
    });
    ledger
        .apply(&members.collect::<Vec<_>>(), 1, Pending::default())
        .unwrap();
    for begin in (0..divergences).step_by(20_000) {
        let numbers = begin..(begin + 20_000).min(divergences);
        let rows: Vec<Row> = numbers
            .flat_map(|number| [exchange(number), divergence(number)])
            .collect();
        ledger.apply(&rows, begin + 2, Pending::default()).unwrap();
    }
}

fn exchange(number: u64) -> Row {
    Row::Exchange(Exchange {
        id: number + 10,
        at: BEGIN + number as i64 * 50_000,
        charger: charger(number % CHARGERS),
        conn: number % CHARGERS + 1,
        version: "1.6".into(),
        action: ["Authorize", "MeterValues", "StatusNotification"][(number % 3) as usize]
            .to_owned(),
        authority: "legacy".into(),
        outcome: Outcome::Divergent,
        reason: None,
        root: None,
        severity: Some(Severity::S2),
        rules: Vec::new(),
        answer: 0,
        sent: 0,
        shadow: 0,
        authority_us: Some(1_000 + number as i64 % 5_000),
        shadow_us: Some(2_000 + number as i64 % 9_000),
        queue_us: Some(10),
    })
}

fn divergence(number: u64) -> Row {
    let finding = number % FINDINGS;
    Row::Divergence(Divergence {
        finding: format!("F-{finding:08}"),
        subject: Subject::Exchange,
        id: number + 10,
        at: BEGIN + number as i64 * 50_000,
        charger: charger(number % CHARGERS),
        conn: number % CHARGERS + 1,
        model: format!("Kerb {}", number % 7),
        firmware: "1.9.4".to_owned(),
        rule: "bench".to_owned(),
        reason: "made up".to_owned(),
        direction: "answer".to_owned(),
        action: ["Authorize", "MeterValues", "StatusNotification"][(number % 3) as usize]
            .to_owned(),
        path: format!("/field/{finding}"),
        pointer: format!("/field/{finding}"),
        kind: "value".to_owned(),
        severity: if finding == 0 {
            Severity::S1
        } else {
            Severity::S3
        },
        legacy: "a".to_owned(),
        candidate: "b".to_owned(),
        title: format!("field {finding} is a on legacy, b on candidate"),
        quirk: None,
        unstable: None,
        run: 1,
        exposed: number,
    })
}

fn app(books: &Books) -> App {
    App::new(Setup {
        theme: Theme {
            colours: Colours::Many,
            unicode: true,
        },
        zone: Zone::Fixed(3_600),
        mask: books.run().unwrap(),
        reveal: false,
        demo: false,
        operator: None,
        role: String::new(),
        filters: Vec::new(),
    })
}

/// How long the source thread needs for each screen: what somebody sees meanwhile is the screen as it was.
fn answers(books: &Books) {
    println!("\nanswers of the source thread, ms (first, then warm)");
    for (number, name) in ["Board", "Diffs", "Sessions", "Gate", "Feed", "Tap"]
        .into_iter()
        .enumerate()
    {
        let mut app = app(books);
        app.on(Event::Size(120, 40), BEGIN);
        let asked = app
            .on(
                Event::Key(Key::Char(char::from(b'1' + number as u8))),
                BEGIN,
            )
            .pop();
        let question = match asked {
            Some(Effect::Ask(request)) => request.question,
            _ => app.screen().question(40),
        };
        let time = || {
            let began = Instant::now();
            let _answer = books.answer(&question).unwrap();
            began.elapsed().as_secs_f64() * 1e3
        };
        println!("  {name:<9} {:8.1} {:8.1}", time(), time());
    }
    let began = Instant::now();
    let pulse = books.pulse().unwrap();
    println!(
        "  {:<9} {:8.1}   {} of {} open",
        "head",
        began.elapsed().as_secs_f64() * 1e3,
        pulse.open,
        pulse.chargers
    );
}

/// From a key to the bytes of the screen, as the drawing thread does it.
fn keys(books: &Books) {
    let mut app = app(books);
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::new(0, 0, 120, 40)),
    };
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(Counted::default()), options).unwrap();
    settle(&mut app, books, Event::Size(120, 40), BEGIN);
    let mut times = Vec::new();
    for round in 0..40 {
        for key in "1jjkk2jjjnn3jj4j5kkkkoo6jj?".chars().map(Key::Char).chain([
            Key::Esc,
            Key::PageDown,
            Key::Char(' '),
            Key::Char(' '),
        ]) {
            let now = BEGIN + round;
            let began = Instant::now();
            let effects = app.on(Event::Key(key), now);
            terminal.draw(|frame| app.draw(frame)).unwrap();
            times.push(began.elapsed());
            answer(&mut app, books, effects, now);
        }
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "\nkey to screen, ms: median {:.2}, p99 {:.2}, longest {:.2} of {} keys",
        at(50),
        at(99),
        at(100),
        times.len()
    );
}

fn settle(app: &mut App, books: &Books, event: Event, now: i64) {
    let effects = app.on(event, now);
    answer(app, books, effects, now);
}

fn answer(app: &mut App, books: &Books, effects: Vec<Effect>, now: i64) {
    for effect in effects {
        if let Effect::Ask(request) = effect {
            let answer = books
                .answer(&request.question)
                .map_err(|error| error.to_string());
            app.on(
                Event::Reply(Reply {
                    number: request.number,
                    answer,
                }),
                now,
            );
        }
    }
}

/// A minute of a board on which something is judged all the time: four pictures a second, each with newer numbers.
fn steady(books: &Books) {
    let mut app = app(books);
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::new(0, 0, 120, 40)),
    };
    for (name, key) in [("Board", '1'), ("Feed", '5')] {
        let sent = Counted::default();
        let mut terminal =
            Terminal::with_options(CrosstermBackend::new(sent.clone()), options.clone()).unwrap();
        settle(&mut app, books, Event::Size(120, 40), BEGIN);
        settle(&mut app, books, Event::Key(Key::Char(key)), BEGIN);
        let mut pulse = books.pulse().unwrap();
        let before = sent.0.get();
        let began = Instant::now();
        let (mut reads, mut source) = (0, Duration::ZERO);
        for frame in 0..240 {
            let now = BEGIN + 50_000_000_000 + frame * 250_000;
            pulse.facts += 50;
            pulse.judged += 50;
            pulse.last = Some(now - 400_000);
            pulse.open = CHARGERS - frame as u64 % 5;
            app.on(Event::Pulse(Arc::new(pulse.clone())), now);
            // The source reads as often as its share of time allows.
            if source * source::SHARE <= Duration::from_millis(250) * frame as u32 {
                let at = Instant::now();
                let request = app.screen().question(40);
                let _answer = books.answer(&request).unwrap();
                source += at.elapsed();
                reads += 1;
            }
            terminal.draw(|frame| app.draw(frame)).unwrap();
        }
        let busy = began.elapsed().as_secs_f64() / 60.0 * 100.0;
        let bytes = sent.0.get() - before;
        println!(
            "{name} for a minute: {:.2} kB/s, {busy:.1} % of a core, read {reads} times",
            bytes as f64 / 60.0 / 1e3
        );
    }
    idle(books);
}

/// A minute in which nothing is judged: only the clock moves.
fn idle(books: &Books) {
    let mut app = app(books);
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::new(0, 0, 120, 40)),
    };
    let sent = Counted::default();
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(sent.clone()), options).unwrap();
    settle(&mut app, books, Event::Size(120, 40), BEGIN);
    let pulse = Arc::new(books.pulse().unwrap());
    app.on(Event::Pulse(pulse), BEGIN);
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let before = sent.0.get();
    for frame in 0..240 {
        app.on(Event::Time, BEGIN + 60_000_000_000 + frame * 250_000);
        terminal.draw(|frame| app.draw(frame)).unwrap();
    }
    let bytes = sent.0.get() - before;
    println!("nothing happens: {:.2} kB/s", bytes as f64 / 60.0 / 1e3);
}
