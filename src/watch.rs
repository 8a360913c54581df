//! The terminal dashboard: reads a recording, also while it grows, and never touches the tap.
//!
//! Three plain threads and one line of events. The input thread reads keys, the source thread reads the recording, the
//! calling thread owns the state ([`app::App`]: event in, effects out) and draws. A screen ([`screen::Screen`]) asks a
//! [`snapshot::Question`]; the source thread answers with plain data. Nothing that draws or takes keys ever waits for a disk.

pub mod app;
pub mod board;
pub mod books;
pub mod compare;
pub mod coverage;
pub mod decide;
pub mod diffs;
pub mod feed;
pub mod gate;
pub mod help;
pub mod keys;
pub mod ladder;
pub mod lines;
pub mod mask;
pub mod notes;
pub mod outside;
pub mod pane;
pub mod personal;
pub mod rewind;
pub mod saved;
pub mod screen;
pub mod sessions;
pub mod shelf;
pub mod side_by_side;
pub mod sieve;
pub mod snapshot;
pub mod source;
pub mod still;
pub mod table;
pub mod tap;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod tour;
pub mod trace;
pub mod triage;
pub mod verdicts;

mod chrome;
mod form;
mod works;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::judge::Rules;
use app::{App, Effect, Event, Setup};
use books::Books;
use notes::Notes;
use outside::Outside;
use rewind::Rewinder;
use terminal::Screen;
use works::Works;

/// Time between two pictures that nobody asked for by a key.
const FRAME: Duration = Duration::from_millis(250);

/// The same with low bandwidth.
const SLOW_FRAME: Duration = Duration::from_secs(1);

/// An answer that comes so soon after a key is what somebody waits for.
const AWAITED: Duration = Duration::from_secs(1);

/// Why the dashboard cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The terminal refused.
    #[error("use the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// The recording cannot be read.
    #[error(transparent)]
    Books(#[from] books::BooksError),
    /// One of its threads has panicked.
    #[error(transparent)]
    Broken(#[from] terminal::Broken),
}

/// What a dashboard needs besides its app.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where evidence and exports go.
    pub evidence: PathBuf,
    /// Where the message of a panic is kept.
    pub log: PathBuf,
    /// Whether it begins with low bandwidth.
    pub slow: bool,
    /// What the recording is judged by, when it is judged again up to an instant.
    pub rules: Rules,
    /// How notes are written.
    pub notes: Notes,
    /// The file of saved filters; none if nothing says where that is.
    pub filters: Option<PathBuf>,
}

/// Runs the dashboard on this terminal until somebody leaves; gives back the last screen if it is to stay. Whoever holds
/// `events` can end it.
pub fn run(
    books: Books,
    setup: Setup,
    places: &Places,
    (events, happened): (Sender<Event>, &Receiver<Event>),
) -> Result<Option<String>, WatchError> {
    let (rewind, orders) = channel();
    let recording = books.dir().to_owned();
    let rewinder = Rewinder::new(&recording, places.rules.clone());
    let mut screen = Screen::enter(places.log.clone())?;
    let mut app = App::new(setup);
    app.start_slow(places.slow);
    let (ask, asked) = channel();
    let of_source = events.clone();
    let source = std::thread::Builder::new().name("source".to_owned());
    let source = source.spawn(move || source::run(books, &asked, &of_source))?;
    let of_rewinder = events.clone();
    let thread = std::thread::Builder::new().name("rewinder".to_owned());
    let rewinding = thread.spawn(move || rewind::run(rewinder, &orders, &of_rewinder))?;
    let hands = Hands {
        outside: Outside::new(places.evidence.clone()),
        notes: places.notes.clone(),
        filters: places.filters.clone(),
        recording,
        events: events.clone(),
        ask,
        rewind,
        works: Works::default(),
    };
    let input = std::thread::Builder::new().name("input".to_owned());
    input.spawn(move || terminal::read(&events))?;
    let left = turn(&mut app, &mut screen, &hands, happened);
    let print = left.map(|stays| stays.then(|| still::picture(&app)));
    drop(screen);
    hands.works.finish(happened, &mut |says| {
        // The terminal may be gone: what is waited for is written all the same.
        let _ = writeln!(io::stderr(), "{says}");
    });
    drop(hands);
    let print = print?;
    // Its ledgers of the past go with it.
    if rewinding.join().is_err() {
        tracing::error!(
            "the rewinder panicked; its files may lie in the directory for temporary ones"
        );
    }
    // The source ends when nobody asks any more; a query that hangs must not keep anybody from leaving.
    drop(source);
    Ok(print)
}

/// The loop; true if the last screen is to stay.
fn turn(
    app: &mut App,
    screen: &mut Screen,
    hands: &Hands,
    happened: &Receiver<Event>,
) -> Result<bool, WatchError> {
    let clock = Clock::system();
    let (width, height) = screen.size()?;
    let mut waiting = vec![Event::Size(width, height)];
    let (mut drawn, mut keyed): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        let mut urgent = false;
        for event in waiting.drain(..) {
            let awaited = keyed.is_some_and(|at| at.elapsed() < AWAITED);
            match &event {
                Event::Key(_) | Event::Paste(_) | Event::Wheel(_) => {
                    keyed = Some(Instant::now());
                    urgent = true;
                }
                Event::Size(..) => urgent = true,
                Event::Reply(_) => urgent |= awaited,
                _ => {}
            }
            let mut effects = app.on(event, clock.now());
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Leave { print } => return Ok(print),
                    other => effects.extend(hands.carry_out(other, app)),
                }
            }
        }
        let frame = if app.is_slow() { SLOW_FRAME } else { FRAME };
        let due = drawn.map_or(Duration::ZERO, |at| frame.saturating_sub(at.elapsed()));
        if urgent || due.is_zero() {
            screen.draw(|frame| app.draw(frame))?;
            drawn = Some(Instant::now());
        }
        let due = drawn.map_or(Duration::ZERO, |at| frame.saturating_sub(at.elapsed()));
        match happened.recv_timeout(due.max(Duration::from_millis(1))) {
            Ok(event) => waiting.push(event),
            Err(RecvTimeoutError::Timeout) => waiting.push(Event::Time),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
        waiting.extend(happened.try_iter());
        if terminal::is_gone() {
            return Ok(false);
        }
        screen.whole()?;
    }
}

/// What carries effects out.
struct Hands {
    outside: Outside,
    notes: Notes,
    filters: Option<PathBuf>,
    recording: PathBuf,
    events: Sender<Event>,
    ask: Sender<app::Request>,
    rewind: Sender<rewind::Order>,
    works: Works,
}

impl Hands {
    /// Does what can be done at once, and sends the rest to who does it; tells the app what came of it.
    fn carry_out(&self, effect: Effect, app: &mut App) -> Vec<Effect> {
        let now = Clock::system().now();
        let says = match effect {
            Effect::Copy(text) => self.outside.copy(&text, now),
            Effect::Export(name, text) => self.outside.export(&name, &text),
            Effect::Evidence(json) => {
                match self.outside.evidence((&still::picture(app), &json), now) {
                    Ok(place) => format!("evidence kept in {}", place.display()),
                    Err(error) => format!("cannot keep evidence: {error}"),
                }
            }
            Effect::Mouse(on) => match terminal::mouse(on) {
                Ok(()) => return Vec::new(),
                Err(error) => format!("the mouse cannot be used: {error}"),
            },
            Effect::Bell(says) => match terminal::ring(&says) {
                Ok(()) => return Vec::new(),
                Err(error) => format!("the bell cannot be rung: {error}"),
            },
            Effect::Note(wish) => match self.notes.write(wish, self.events.clone()) {
                Ok(work) => {
                    self.works.keep(work);
                    return Vec::new();
                }
                Err(error) => format!("nothing can be written: {error}"),
            },
            Effect::Bundle(finding) => match self.bundle(finding) {
                Ok(()) => return Vec::new(),
                Err(error) => format!("no bundle can be made: {error}"),
            },
            Effect::KeepFilter(name, filter) => self.keep_filter(&name, &filter),
            // Without its thread nothing can be asked; that one has said why before it ended.
            Effect::Ask(request) => {
                drop(self.ask.send(request));
                return Vec::new();
            }
            Effect::Rewind(order) => {
                let _ = self.rewind.send(order);
                return Vec::new();
            }
            Effect::Leave { .. } => return Vec::new(),
        };
        app.on(Event::Told(says), now)
    }

    fn bundle(&self, finding: String) -> io::Result<()> {
        let (outside, recording) = (self.outside.clone(), self.recording.clone());
        let told = self.events.clone();
        let thread = std::thread::Builder::new().name("bundle".to_owned());
        let made = thread.spawn(move || {
            // Who leaves the dashboard waits for it; one that broke does not hear it.
            let _ = told.send(Event::Told(outside.bundle(&recording, &finding)));
        });
        self.works.keep(made?);
        Ok(())
    }

    fn keep_filter(&self, name: &str, filter: &str) -> String {
        let Some(file) = &self.filters else {
            return format!(
                "{name} is there until you leave: neither HOME nor XDG_CONFIG_HOME is set"
            );
        };
        match saved::keep(file, name, filter) {
            Ok(()) => format!("f has {name} from now on, saved in {}", file.display()),
            Err(error) => format!("{name} cannot be saved in {}: {error}", file.display()),
        }
    }
}
