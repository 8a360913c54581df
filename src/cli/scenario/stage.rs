//! What scenarios are played on: the built-in backends or others, and a tap between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Options;
use super::files::File;
use crate::cli::child::TapChild;
use crate::cli::config;
use crate::cli::error::{CliError, Exit};
use crate::cli::rules;
use crate::clock::Clock;
use crate::facts::{Leg, RecordingError, private};
use crate::judge::Rules;
use crate::live::Backend;
use crate::replay::scenario::actor::Stage;
use crate::replay::scenario::observed::Observed;
use crate::replay::scenario::orders::Orders;
use crate::replay::scenario::pair::Pair;
use crate::replay::sim::books::evse;

/// The variable that the token for the built-in books is in, and the token. They are on loopback and made up.
const TOKEN: (&str, &str) = ("EVENKEEL_SCENARIO_TOKEN", "scenario");

/// How long the tap may take to begin its recording.
const FIRST_FACT: Duration = Duration::from_secs(20);

/// A stage, and what must be put away after the play.
pub(super) struct Built {
    /// Where the charger plays.
    pub(super) stage: Stage,
    /// The tap, if there is one.
    pub(super) tap: Option<TapChild>,
    /// The backends by their legs.
    pub(super) urls: BTreeMap<Leg, String>,
    /// Where the tap records, and whether that goes with it.
    pub(super) recording: Option<Place>,
}

/// Where is recorded.
pub(super) struct Place {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl Place {
    fn new(wished: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = wished else {
            let temporary = tempfile::Builder::new()
                .prefix("evenkeel-scenario-")
                .tempdir()
                .map_err(|error| cannot("make a directory to record in", &error))?;
            return Ok(Self {
                path: temporary.path().to_owned(),
                _temporary: Some(temporary),
            });
        };
        if path.join("facts.db").exists() {
            let what = format!("{} holds a recording already", path.display());
            return Err(CliError::new(Exit::Usage, "SCN-005", what)
                .help("name a new directory, or remove the old recording"));
        }
        Ok(Self {
            path: path.to_owned(),
            _temporary: None,
        })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Builds the stage that the options ask for.
pub(super) async fn build(options: &Options, files: &[File]) -> Result<Built, CliError> {
    match (&options.legacy, &options.candidate) {
        (None, Some(url)) => alone(options, url),
        (Some(legacy), Some(candidate)) => {
            for url in [legacy, candidate] {
                options.how.target(url)?;
            }
            let urls = [(Leg::Legacy, legacy), (Leg::Candidate, candidate)];
            let urls = urls.map(|(leg, url)| (leg, url.clone())).into();
            tapped(options, urls, None, files).await
        }
        _ => {
            let pair = Pair::start(TOKEN.1)
                .await
                .map_err(|error| cannot("start the built-in backends", &error))?;
            let urls = [Leg::Legacy, Leg::Candidate].map(|leg| (leg, pair.url(leg)));
            tapped(options, urls.into(), Some(pair), files).await
        }
    }
}

/// One backend, and no tap: nothing is compared.
fn alone(options: &Options, url: &str) -> Result<Built, CliError> {
    if options.recording.is_some() {
        let what = "without legacy there is no tap, and nothing is recorded";
        return Err(CliError::new(Exit::Usage, "SCN-006", what).help("give --legacy, too"));
    }
    let target = options.how.target(url)?;
    Ok(Built {
        stage: Stage {
            patience: target.patience,
            target,
            leg: Leg::Candidate,
            orders: orders(options),
            observed: None,
            run: run(),
            values: options.values(),
        },
        tap: None,
        urls: [(Leg::Candidate, url.to_owned())].into(),
        recording: None,
    })
}

/// Two backends with a tap between.
async fn tapped(
    options: &Options,
    urls: BTreeMap<Leg, String>,
    pair: Option<Pair>,
    files: &[File],
) -> Result<Built, CliError> {
    let recording = Place::new(options.recording.as_deref())?;
    let place = recording.path().to_owned();
    let config = write(options, &urls, pair.as_ref(), (&place, files))?;
    let rules = rules::of_config(&config::load(&config)?)?;
    let tap = TapChild::start(&config, TOKEN, |line| {
        if line.contains("ERROR") || line.contains("error[") {
            eprintln!("tap: {line}");
        }
    })?;
    let observed = observe(&place, rules).await?;
    let mut target = options.how.target(tap.url())?;
    // What the backends are trusted by is the tap's business.
    target.backend = Backend::parse(tap.url())
        .map_err(|error| cannot("reach the tap", &std::io::Error::other(error)))?;
    Ok(Built {
        stage: Stage {
            patience: target.patience,
            target,
            leg: Leg::Legacy,
            orders: pair.map_or_else(|| orders(options), Orders::Pair),
            observed: Some(RefCell::new(observed)),
            run: run(),
            values: options.values(),
        },
        tap: Some(tap),
        urls,
        recording: Some(recording),
    })
}

/// Who lets backends that are not built in command.
fn orders(options: &Options) -> Orders {
    let program = options.trigger.clone();
    program.map_or(Orders::Nobody, Orders::Program)
}

fn run() -> u64 {
    (Clock::system().now() / 1_000).unsigned_abs()
}

/// Opens the recording as soon as the tap has begun it.
async fn observe(place: &Path, rules: Rules) -> Result<Observed, CliError> {
    let due = Instant::now() + FIRST_FACT;
    while Instant::now() < due {
        match begun(place, &rules) {
            Ok(Some(observed)) => return Ok(observed),
            Ok(None) => {}
            // Files come one after the other.
            Err(error) => tracing::debug!(%error, "the recording is not there yet"),
        }
        sleep(Duration::from_millis(20)).await;
    }
    let what = "the tap recorded nothing";
    Err(CliError::new(Exit::Environment, "SCN-007", what))
}

fn begun(place: &Path, rules: &Rules) -> Result<Option<Observed>, RecordingError> {
    if !place.join("facts.db").is_file() {
        return Ok(None);
    }
    let mut observed = Observed::open(place, rules.clone())?;
    observed.read()?;
    Ok(observed.has_begun().then_some(observed))
}

/// Writes the configuration of the tap, beside what is recorded, and says where it is.
fn write(
    options: &Options,
    urls: &BTreeMap<Leg, String>,
    pair: Option<&Pair>,
    (recording, files): (&Path, &[File]),
) -> Result<PathBuf, CliError> {
    let folder = recording.join("setup");
    let file = folder.join("evenkeel.toml");
    let mut text = String::from(
        "# What the tap of the scenarios ran with.\n\n[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"..\"\n",
    );
    let ca = options.how.ca().map(absolute).transpose()?;
    for (leg, url) in urls {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[{}]\nurl = {}\n", leg.word(), quoted(url));
        if let Some(ca) = ca.as_ref().filter(|_| url.starts_with("wss:")) {
            let _ = writeln!(text, "ca = {}", quoted(ca));
        }
        if *leg == Leg::Candidate {
            text.push_str("pass_credentials = true\n");
        }
    }
    if !options.rules.is_empty() {
        let rules = options.rules.iter().map(|file| absolute(file));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        let rules: Vec<String> = rules.iter().map(|file| quoted(file)).collect();
        let _ = write!(text, "\n[rules]\nfiles = [{}]\n", rules.join(", "));
    }
    // No charger in the field depends on what the candidate signs here.
    text.push_str("\n[shadow]\ncertificates = true\n");
    if let Some(pair) = pair {
        text.push_str(&books(pair));
    }
    let write = || -> std::io::Result<()> {
        private::folder(&folder)?;
        if pair.is_some() {
            private::write(&folder.join("places.csv"), &places(files))?;
        }
        private::write(&file, &text)
    };
    write().map_err(|error| cannot("write the tap's configuration", &error))?;
    Ok(file)
}

/// The sections that tell of the built-in books.
fn books(pair: &Pair) -> String {
    let mut text = String::from(
        "\n[sessions]\nplaces = \"places.csv\"\nsession_slo = \"10s\"\ncdr_slo = \"10s\"\nquiet = \"1s\"\n",
    );
    for leg in [Leg::Legacy, Leg::Candidate] {
        let _ = write!(
            text,
            "\n[[backends.{leg}]]\nreader = \"ocpi\"\nurl = {url}\ntoken = {{ env = \"{variable}\" }}\nparty = \"DE-EVK\"\n\
             every = \"1s\"\npace = \"20ms\"\noverlap = \"5s\"\n",
            leg = leg.word(),
            url = quoted(&pair.books_url(leg)),
            variable = TOKEN.0,
        );
    }
    text
}

/// What the built-in books call the connectors.
fn places(files: &[File]) -> String {
    let mut text = String::from("backend,place,charger,connector,time_zone\n");
    for file in files {
        for number in 1..=file.scenario.charger.connectors {
            let is_16 = file.scenario.version == crate::ocpp::Version::V16;
            let connector = if is_16 { number } else { 1 };
            let place = evse(&file.identity, number.into());
            let _ = writeln!(text, "both,{place},{},{connector},UTC", file.identity);
        }
    }
    text
}

fn absolute(path: &Path) -> Result<String, CliError> {
    let full = std::path::absolute(path);
    let full = full.map_err(|error| cannot("find the working directory", &error))?;
    Ok(full.display().to_string())
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn cannot(what: &str, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "SCN-007",
        format!("cannot {what}: {error}"),
    )
}
