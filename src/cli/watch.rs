//! `evenkeel watch`: opens the dashboard on a recording; without a terminal, one picture of it, or lines.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::error::{CliError, Exit};
use super::interrupt::Interrupt;
use super::recording::RecordingArg;
use super::{decide, gate, rules, triage};
use crate::clock::Clock;
use crate::watch::app::{App, Event, Setup};
use crate::watch::books::{Books, BooksError};
use crate::watch::lines::{Lines, LinesError};
use crate::watch::mask::Mask;
use crate::watch::notes::{Notes, Wish};
use crate::watch::text::Zone;
use crate::watch::theme::{Theme, Wishes};
use crate::watch::{self, Places, WatchError, saved, still};

/// Shows a recording as a full-screen dashboard, also while a tap writes it. Leaving it never stops the tap.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Print events, findings and alarms as sentences, one a line, instead of the dashboard.
    #[arg(long)]
    lines: bool,
    /// Colours; the default asks `EVENKEEL_COLOR`, `NO_COLOR` and the terminal, in this order.
    #[arg(long, value_enum, value_name = "WHEN")]
    color: Option<Colour>,
    /// Marks and lines in ASCII.
    #[arg(long)]
    ascii: bool,
    /// Draw once a second at most.
    #[arg(long)]
    low_bandwidth: bool,
    /// Show chargers and tags from the start; P masks them.
    #[arg(long)]
    reveal: bool,
    /// Let this person write notes about findings and decide about groups; nothing can be written otherwise.
    #[arg(long, value_name = "NAME")]
    operate: Option<String>,
    /// In which role that person decides.
    #[arg(long, value_name = "ROLE", requires = "operate")]
    role: Option<String>,
    /// The file with the gate's criteria, if not the recording's.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Where `w` keeps screens; in the recording when left out.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
}

/// How many colours to use.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Colour {
    /// What the terminal can.
    Auto,
    /// None.
    Never,
    /// The sixteen of old.
    #[value(name = "16")]
    Sixteen,
    /// 256.
    #[value(name = "256")]
    Many,
}

/// How often lines are looked for.
const LOOK: Duration = Duration::from_millis(250);

/// Size of the picture where there is no terminal.
const PICTURE: (u16, u16) = (120, 40);

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    super::judging::bring_up_to_date(&dir)?;
    let mut books = Books::open(&dir)?;
    if let Some(file) = &options.gate {
        books = books.gated_by(gate::parse(file, &gate::read(file)?)?);
    }
    if options.lines {
        return lines(books, options);
    }
    let setup = setup(options, &books)?;
    if !std::io::stdout().is_terminal() {
        return picture(&books, setup);
    }
    let places = places(options, &dir)?;
    show(books, setup, &places)
}

fn places(options: &Options, dir: &Path) -> Result<Places, CliError> {
    Ok(Places {
        rules: rules::of_recording(dir)?,
        notes: notes(dir, options.gate.clone()),
        filters: filters_file(),
        evidence: options
            .evidence
            .clone()
            .unwrap_or_else(|| dir.join("evidence")),
        log: log(),
        slow: options.low_bandwidth,
    })
}

/// Notes are written as `evenkeel triage` writes them, decisions as `evenkeel decide` does, by the criteria of `gate`.
fn notes(dir: &Path, gate: Option<PathBuf>) -> Notes {
    let dir = dir.to_owned();
    Notes::new(move |wish: &Wish| {
        let written = match wish {
            Wish::Note(wish) => triage::write(&dir, wish),
            Wish::Decision(wish) => decide::write(&dir, gate.as_deref(), wish),
        };
        written.map_err(|error| error.message)
    })
}

fn setup(options: &Options, books: &Books) -> Result<Setup, CliError> {
    let color = options.color.map(|colour| match colour {
        Colour::Auto => "auto",
        Colour::Never => "never",
        Colour::Sixteen => "16",
        Colour::Many => "256",
    });
    let wishes = Wishes {
        color: color.map(str::to_owned),
        ascii: options.ascii,
    };
    Ok(Setup {
        operator: options.operate.clone(),
        role: options.role.clone().unwrap_or_default(),
        ..begin(&wishes, books, options.reveal)?
    })
}

fn begin(wishes: &Wishes, books: &Books, reveal: bool) -> Result<Setup, CliError> {
    Ok(Setup {
        theme: Theme::decide(wishes, &|name| std::env::var(name).ok()),
        zone: Zone::Local,
        mask: books.run()?,
        reveal,
        demo: false,
        operator: None,
        role: String::new(),
        filters: filters(),
    })
}

fn filters_file() -> Option<PathBuf> {
    saved::place(&|name| std::env::var(name).ok())
}

/// The filters that were saved. A file that cannot be read keeps nobody from looking.
fn filters() -> Vec<(String, String)> {
    let Some(file) = filters_file() else {
        return Vec::new();
    };
    match saved::read(&file) {
        Ok(filters) => filters.into_iter().collect(),
        Err(error) => {
            eprintln!(
                "the saved filters in {} cannot be read: {error}",
                file.display()
            );
            Vec::new()
        }
    }
}

/// Whether a recording holds enough to be shown.
pub(super) fn is_ready(dir: &Path) -> bool {
    dir.join("facts.db").is_file()
        && Books::open(dir)
            .is_ok_and(|books| books.ledger().is_ok() && books.last().is_ok_and(|last| last > 0))
}

/// The dashboard on the recording of a demo, until somebody leaves or `events` end it.
pub(super) fn demo(
    dir: &Path,
    (events, happened): (Sender<Event>, &Receiver<Event>),
) -> Result<(), CliError> {
    let books = Books::open(dir)?;
    let setup = Setup {
        demo: true,
        ..begin(&Wishes::default(), &books, false)?
    };
    let places = Places {
        evidence: std::env::current_dir().unwrap_or_default().join("evidence"),
        log: log(),
        slow: false,
        rules: rules::of_recording(dir)?,
        notes: notes(dir, None),
        filters: filters_file(),
    };
    end_on_signal(events.clone())?;
    if let Some(last) = watch::run(books, setup, &places, (events, happened))? {
        super::say(&last)?;
    }
    Ok(())
}

fn log() -> PathBuf {
    std::env::temp_dir().join(format!("evenkeel-watch-{}.log", std::process::id()))
}

/// The dashboard on this terminal. Signals that end a program end it in order, so that the terminal is restored.
fn show(books: Books, setup: Setup, places: &Places) -> Result<Exit, CliError> {
    let (events, happened) = channel();
    end_on_signal(events.clone())?;
    if let Some(last) = watch::run(books, setup, places, (events, &happened))? {
        super::say(&last)?;
    }
    Ok(Exit::Parity)
}

fn end_on_signal(events: Sender<Event>) -> Result<(), CliError> {
    let cannot = |error: std::io::Error| {
        CliError::new(
            Exit::Environment,
            "ENV-005",
            format!("cannot watch for signals: {error}"),
        )
    };
    let waiting = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let Ok(runtime) = super::runtime() else {
                return;
            };
            runtime.block_on(async {
                let kinds = [SignalKind::hangup(), SignalKind::terminate()].map(signal);
                let [Ok(mut hangup), Ok(mut terminate)] = kinds else {
                    return;
                };
                tokio::select! {
                    _ = hangup.recv() => {}
                    _ = terminate.recv() => {}
                }
                // Nobody listens if the dashboard has ended already.
                let _ = events.send(Event::End);
            });
        });
    waiting.map(drop).map_err(cannot)
}

/// One picture as text, for pipes.
fn picture(books: &Books, setup: Setup) -> Result<Exit, CliError> {
    let mut app = App::new(setup);
    let now = Clock::system().now();
    still::settle(&mut app, books, Event::Size(PICTURE.0, PICTURE.1), now);
    still::pulse(&mut app, books, now);
    super::say(&still::picture(&app))?;
    eprintln!(
        "stdout is no terminal: this is one picture; --lines follows the recording as sentences"
    );
    Ok(Exit::Parity)
}

/// Sentences until the tap has stopped, or Ctrl-C.
fn lines(mut books: Books, options: &Options) -> Result<Exit, CliError> {
    let mask = Mask::new(&books.run()?, !options.reveal);
    let mut interrupt = Interrupt::watch()?;
    let mut told = Lines::default();
    loop {
        if books.changed()? {
            match told.tell(&books, (&mask, Zone::Local), &mut std::io::stdout().lock()) {
                Err(LinesError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Ok(Exit::Parity);
                }
                told => told?,
            }
        }
        if books.pulse()?.stopped.is_some() {
            return Ok(Exit::Parity);
        }
        if interrupt.or(tokio::time::sleep(LOOK)).is_none() {
            return Ok(Exit::Interrupted);
        }
    }
}

impl From<BooksError> for CliError {
    fn from(error: BooksError) -> Self {
        match error {
            BooksError::Facts(error) => error.into(),
            BooksError::Ledger(error) => error.into(),
            BooksError::Report(error) => error.into(),
            BooksError::Rules(error) => error.into(),
            BooksError::Gate(..) => Self::new(Exit::Usage, "GATE-001", error.to_string()),
            BooksError::NoLedger => Self::new(Exit::Evidence, "TUI-002", error.to_string()),
        }
    }
}

impl From<LinesError> for CliError {
    fn from(error: LinesError) -> Self {
        match error {
            LinesError::Books(error) => error.into(),
            LinesError::Write(error) => super::cannot_say(&error),
        }
    }
}

impl From<WatchError> for CliError {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Books(error) => error.into(),
            WatchError::Broken(error) => Self::new(Exit::Environment, "TUI-003", error.to_string())
                .help("please report it with the log; --lines tells the same without a screen"),
            WatchError::Terminal(_) => {
                Self::new(Exit::Environment, "TUI-001", format!("cannot {error}"))
                    .help("--lines needs no terminal that can do anything")
            }
        }
    }
}
