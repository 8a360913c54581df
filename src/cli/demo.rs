//! `evenkeel demo`: twelve simulated chargers, two simulated backends with their books, one real tap, seeded divergences.

mod night;
mod setup;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::child::TapChild;
use super::config::units::parse_duration;
use super::diffs::{summary, verdict};
use super::error::{CliError, Exit};
use crate::ledger::feed::{Event, Feed};
use crate::ledger::query::{Filter, Reader};
use crate::ledger::views;
use crate::replay::sim::world::{DemoWorld, SEEDED, SEEDED_BOOKS};
use crate::report::causes;
use night::Told;

/// Shows a tap at work: no configuration, nothing outside loopback. On a terminal it opens the dashboard.
#[derive(Debug, Args)]
pub struct Options {
    /// Say nothing while it runs, only the result.
    #[arg(long)]
    headless: bool,
    /// How long, for example 20s; until Ctrl-C when left out.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    length: Option<Duration>,
    /// Same seed, same chargers, same findings.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// Move a group to the candidate while its drivers charge, and back as soon as something differs.
    #[arg(long)]
    cutover: bool,
    /// Print the result as JSON (schema evenkeel.diffs/1).
    #[arg(long)]
    json: bool,
    /// Keep the recording here; a temporary one is removed at the end.
    #[arg(long, value_name = "DIR")]
    recording: Option<PathBuf>,
}

/// How much faster than real time the simulated chargers live: an hour a minute.
const SPEED: u32 = 60;

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration such as 20s or 5m".to_owned())
}

/// Runs the verb. Exit 1: the seeded divergences were found.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let place = Place::new(options.recording.as_deref())?;
    let runtime = super::runtime()?;
    let night = runtime.block_on(play(options, place.path()))?;
    super::judging::bring_up_to_date(place.path())?;
    let reader = Reader::open(place.path())?;
    let mut diffs = views::diffs(&reader, &Filter::default())?;
    causes::add(place.path(), &reader, &mut diffs.findings)?;
    if options.json {
        super::say(&(super::to_json(&diffs)? + "\n"))?;
    } else {
        super::say(&format!("\n{}", summary(&diffs)))?;
    }
    if let Some(told) = night {
        eprintln!("{}", super::printable(&told.to_string()));
    }
    if let Some(kept) = &options.recording {
        let kept = kept.display();
        eprintln!(
            "next: evenkeel watch {kept}   evenkeel gate --group pilot {kept}   evenkeel diffs {kept} --finding ID   \
             (the configuration it ran with is in {kept}/setup)"
        );
    } else {
        eprintln!(
            "next: evenkeel demo --recording recordings/demo   evenkeel watch recordings/demo   evenkeel init"
        );
    }
    Ok(verdict(&diffs))
}

/// Runs the world until it has been seen enough; what happened in the night, if there was to be one.
async fn play(options: &Options, recording: &Path) -> Result<Option<Told>, CliError> {
    let world = DemoWorld::start(options.seed, SPEED, setup::TOKEN)
        .await
        .map_err(|error| {
            CliError::new(
                Exit::Environment,
                "DEMO-002",
                format!("cannot start the simulated backends: {error}"),
            )
        })?;
    let config = setup::write(&world, options.seed, recording, setup::today())?;
    let token = (setup::VARIABLE, setup::TOKEN);
    let trouble = Trouble::new(options.shows());
    let told = trouble.clone();
    let mut tap = TapChild::start(&config, token, move |line| told.hear(line))?;
    if !options.headless && !options.shows() {
        banner(&tap, recording)?;
    }
    // Both simulated backends share a path-less URL on the tap: it adds each backend's own path.
    let fleet = world.fleet(tap.url());
    let night = (options.cutover).then(|| tokio::spawn(night::live(recording.to_owned())));
    if options.shows() {
        dashboard(options, recording).await?;
        trouble.tell();
    } else {
        stream(options, recording).await?;
    }
    let told = match night {
        Some(night) => morning(night).await,
        None => Ok(None),
    };
    for (charger, end) in fleet.stop().await {
        if let Err(error) = end {
            eprintln!("simulated charger {charger}: {error}");
        }
    }
    // On another thread: the backends go on answering what the tap still has for them.
    let stopped = tokio::task::spawn_blocking(move || tap.stop()).await;
    if let Err(error) = stopped {
        eprintln!("the tap was not stopped in order: {error}");
    }
    told
}

/// What happened in the night, unless it was left before it was over.
async fn morning(night: JoinHandle<Result<Told, CliError>>) -> Result<Option<Told>, CliError> {
    if night.is_finished() {
        let told = night.await.map_err(|error| night::ended(&error))?;
        return told.map(Some);
    }
    night.abort();
    eprintln!("the cutover was not over yet: give it a minute (--for 60s)");
    Ok(None)
}

fn banner(tap: &TapChild, recording: &Path) -> Result<(), CliError> {
    super::say(&format!(
        "DEMO  chargers -> {} -> legacy, copied to candidate; recording {}\n      \
         twelve chargers in five groups at {SPEED} times speed; {} things differ on the line and {} in the books, on purpose. Ctrl-C ends it.\n\n",
        tap.url(),
        recording.display(),
        SEEDED.len(),
        SEEDED_BOOKS.len(),
    ))
}

impl Options {
    /// Whether it opens the dashboard.
    fn shows(&self) -> bool {
        !self.headless && !self.json && std::io::stdout().is_terminal()
    }
}

/// What the tap says is wrong: at once, or when the dashboard no longer has the terminal. The demo is about what is compared;
/// the tap's own trouble still has to be seen.
#[derive(Clone)]
struct Trouble {
    kept: Option<Arc<Mutex<Vec<String>>>>,
}

impl Trouble {
    /// Keeps it for later, or not.
    fn new(keeps: bool) -> Self {
        Self {
            kept: keeps.then(Arc::default),
        }
    }

    fn hear(&self, line: &str) {
        if !line.contains("ERROR") && !line.contains("error[") {
            return;
        }
        match &self.kept {
            Some(kept) => kept
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line.to_owned()),
            None => eprintln!("tap: {line}"),
        }
    }

    fn tell(&self) {
        let kept = self.kept.iter().flat_map(|kept| {
            std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner))
        });
        kept.for_each(|line| eprintln!("tap: {line}"));
    }
}

/// How long the first fact may take.
const FIRST_FACT: Duration = Duration::from_secs(20);

/// Shows the dashboard on a thread of its own until somebody leaves or the time is over: this one runs the backends.
async fn dashboard(options: &Options, recording: &Path) -> Result<(), CliError> {
    let began = Instant::now();
    while !super::watch::is_ready(recording) {
        if began.elapsed() > FIRST_FACT {
            return Err(CliError::new(
                Exit::Environment,
                "DEMO-001",
                "the tap recorded nothing",
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (events, happened) = std::sync::mpsc::channel();
    let (end, place) = (events.clone(), recording.to_owned());
    let mut shown =
        tokio::task::spawn_blocking(move || super::watch::demo(&place, (events, &happened)));
    let over = async {
        match options.length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    };
    let left = tokio::select! {
        left = &mut shown => left,
        () = over => {
            // If it has ended meanwhile, that is what was asked for.
            let _ = end.send(crate::watch::app::Event::End);
            shown.await
        }
    };
    left.map_err(|error| {
        CliError::new(
            Exit::Environment,
            "TUI-001",
            format!("the dashboard ended: {error}"),
        )
    })?
}

/// Prints one line per judged event until the time is over or the user has seen enough.
async fn stream(options: &Options, recording: &Path) -> Result<(), CliError> {
    let began = Instant::now();
    let mut feed = Feed::default();
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut end = std::pin::pin!(async {
        match options.length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    });
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            interrupted = tokio::signal::ctrl_c() => {
                return interrupted.map_err(|error| {
                    CliError::new(Exit::Environment, "ENV-005", format!("cannot watch for Ctrl-C: {error}"))
                });
            }
            _ = tick.tick() => {
                if options.headless {
                    continue;
                }
                // The ledger appears with the first judged fact.
                if let Ok(reader) = Reader::open(recording) {
                    for event in feed.next(&reader)? {
                        super::say(&(line(began, &event) + "\n"))?;
                    }
                }
            }
        }
    }
}

fn line(began: Instant, event: &Event) -> String {
    let seconds = began.elapsed().as_secs_f64();
    format!(
        "{seconds:7.1} s  {mark}  {charger:<14} {action:<24} {says}",
        mark = event.mark(),
        charger = super::printable(&event.charger),
        action = super::printable(&event.action),
        says = super::printable(&event.says()),
    )
}

/// Where the demo records: a directory of the user's, or a temporary one that goes with it.
struct Place {
    path: PathBuf,
    temporary: bool,
}

impl Place {
    fn new(wished: Option<&Path>) -> Result<Self, CliError> {
        let (path, temporary) = match wished {
            Some(path) => (path.to_owned(), false),
            None => (
                std::env::temp_dir().join(format!("evenkeel-demo-{}", std::process::id())),
                true,
            ),
        };
        if path.join("facts.db").exists() {
            return Err(CliError::new(
                Exit::Usage,
                "DEMO-003",
                format!("{} holds a recording already", path.display()),
            )
            .help("name a new directory, or remove the old recording"));
        }
        Ok(Self { path, temporary })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
