//! The hidden verb that the tap starts as its shadow plane: observer, legs, recorder and judge in one process below the
//! live plane's priority.

use std::convert::Infallible;
use std::error::Error;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::UnixStream;

use super::boards::Boards;
use super::config::{Backend, Config, SecretRef};
use super::error::{CliError, Exit};
use super::gauges::Totals;
use super::judging::JudgeThread;
use super::logging::{self, LogFormat};
use super::{fleet, models, places, rules, tap};
use crate::backends::{self, tally::Named};
use crate::clock::Clock;
use crate::facts::chain::Scribe;
use crate::facts::resume::Resume;
use crate::facts::{Fact, Kind, Leg, Reader, Recorder, recorder};
use crate::live;
use crate::live::secret::Secret;
use crate::live::seen::Left;
use crate::live::tls::TlsError;
use crate::shadow::control::{Control, Door};
use crate::shadow::credentials::{self, Credentials, CredentialsError, Login};
use crate::shadow::legs::Legs;
use crate::shadow::mediator::Mediator;
use crate::shadow::plane::{self, Table};
use crate::shadow::settings::{QueueLimits, ShadowSettings, Takeover};
use crate::shadow::switch::{Face, Switchboard};

/// The verb's name.
pub const VERB: &str = "shadow-plane";

/// How long the recorder may take to flush.
const FAREWELL: Duration = Duration::from_secs(4);

/// How far before its start a tap reads the books of the backends: sessions that run already have begun by then.
const LOOKBACK: Duration = Duration::from_hours(24);

/// What the tap passes on.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration as JSON.
    #[arg(long)]
    settings: String,
    /// The live plane's seen-board.
    #[arg(long)]
    seen: PathBuf,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
}

/// Runs the shadow plane until the live plane stops or is gone.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let config: Config = serde_json::from_str(&options.settings).map_err(|error| {
        CliError::new(Exit::Usage, "CFG-012", format!("broken settings: {error}"))
    })?;
    let _logging = logging::start(options.log);
    yield_to_the_live_plane(config.shadow.niceness);
    let stream = hand_over()?;
    let recorder = Recorder::open(&config.recording, limits(&config))?;
    if Left::at(&options.seen).is_some_and(|board| !board.is_at_work()) {
        // It was killed before the recording could be had. Another tap may have been here meanwhile and accounted for what
        // this hand-over holds, or will: nothing of it may be recorded twice.
        tracing::warn!("live plane is gone; its board is left to the next tap");
        return Ok(Exit::Parity);
    }
    let recording = Reader::open(&config.recording)?;
    let resume = Resume::read(&recording)?;
    let scribe = Scribe::new(recorder.clone(), &recording)?;
    let boards = Boards::open(&options.seen, &config.recording, recording)?;
    let rules = rules::of_config(&config)?;
    let judge = JudgeThread::spawn(&config.recording, rules, recorder.follow())?;
    let readers = read_books(&config, &recorder);
    let tallies = readers
        .as_ref()
        .map_or_else(Vec::new, backends::plane::Plane::tallies);
    let runtime = super::runtime()?;
    let plane = shadow(
        &config,
        stream,
        (&boards, judge.totals(), tallies),
        &recorder,
        resume,
        scribe,
    );
    let plane = runtime.block_on(plane);
    if let Some(readers) = readers {
        readers.stop();
    }
    recorder.close(FAREWELL)?;
    if plane.is_ok() {
        boards.remove_all();
    }
    let digest = judge.stop()?;
    tracing::info!(%digest, "recording closed and judged");
    plane.map(|()| Exit::Parity)
}

/// Starts the readers of backend records. What is wrong with them must not stop the recording of traffic.
fn read_books(config: &Config, recorder: &Recorder) -> Option<backends::plane::Plane> {
    if config.readers.is_empty() {
        return None;
    }
    let settings = super::backends::usable(&config.readers);
    let (dir, recorder) = (&config.recording, recorder.clone());
    backends::plane::Plane::spawn(settings, dir, recorder, LOOKBACK)
        .inspect_err(|error| tracing::error!(%error, "no backend records are read"))
        .ok()
}

async fn shadow(
    config: &Config,
    stream: StdUnixStream,
    (boards, totals, tallies): (&Boards, Totals, Vec<Named>),
    recorder: &Recorder,
    mut resume: Resume,
    scribe: Scribe,
) -> Result<(), CliError> {
    let (shadow, authority) = (config.authority.other(), config.authority);
    let backends = vec![
        shadow_settings(config, shadow)?,
        shadow_settings(config, authority)?,
    ];
    let faces = [Leg::Legacy, Leg::Candidate].map(|leg| face(&backends, leg));
    let legs = Rc::new(Legs::new(backends, recorder).map_err(|error| no_tls(&error))?);
    let journal = std::mem::take(&mut resume.journal);
    legs.stand(&journal);
    legs.resume(shadow, &resume);
    legs.resume(authority, &resume);
    legs.carry_all(&journal);
    match models::load(config.shadow.models.as_deref()) {
        Ok(models) => {
            legs.import(shadow, &models);
            legs.import(authority, &models);
        }
        // It was fine when the tap started. Without it the stand-in knows less; without this process nothing is recorded.
        Err(error) => {
            tracing::error!(code = error.code, why = %error.message.escape_debug(), "charger models left out");
        }
    }
    boards.confess_left(recorder)?;
    tell_rules(config, recorder)?;
    tell_estate(config, recorder)?;
    tell_gate(config, recorder);
    let settings = plane::Settings {
        capture: config.limits.capture,
        setup: setup(config),
    };
    let own = boards.own.clone();
    let switchboard = Switchboard::new(legs, recorder, faces, authority, journal);
    let mediator = mediator(config, &switchboard, recorder)?;
    let control = Control::new(scribe, Clock::system()).with_switchboard(switchboard.clone());
    let table = Table::new(recorder.clone(), switchboard, own, resume, settings)
        .with_left(boards.left.clone())
        .with_monitors(move || json!(totals.told()))
        .with_readers(move || {
            let now = Clock::system().now();
            json!(tallies.iter().map(|one| one.told(now)).collect::<Vec<_>>())
        });
    let stream = stream
        .set_nonblocking(true)
        .and_then(|()| UnixStream::from_std(stream))
        .map_err(|error| no_hand_over(&error))?;
    let ended = tokio::select! {
        ended = plane::run(stream, table) => ended,
        never = boards.forget_left(recorder) => match never {},
        never = take_requests(&config.recording, control) => match never {},
        // Here, so that its sockets are gone before another plane may have the recording.
        never = mediate(mediator) => match never {},
    };
    match ended {
        Ok(ended) => {
            tracing::info!(?ended, "live plane ended");
            boards.confess_own(recorder).await
        }
        Err(error) => Err(CliError::new(
            Exit::Environment,
            "TAP-001",
            super::chain(&error),
        )),
    }
}

/// Mediates, if that can be done.
async fn mediate(mediator: Option<Mediator>) -> Infallible {
    match mediator {
        Some(mediator) => mediator.serve().await,
        None => std::future::pending().await,
    }
}

/// Serves the control socket. Without one the tap goes on: recording matters more.
async fn take_requests(recording: &Path, control: Control) -> Infallible {
    match Door::open(recording) {
        Ok(door) => door.serve(Rc::new(control)).await,
        Err(error) => {
            tracing::error!(
                error = super::chain(&error),
                "nobody can change this tap while it runs"
            );
            std::future::pending().await
        }
    }
}

/// The operator's rules, and what is said about sessions, go into the recording, so that it can be judged again anywhere.
fn tell_rules(config: &Config, recorder: &Recorder) -> Result<(), CliError> {
    let text = rules::joined(&config.rules)?;
    let hash = super::hex(&Sha256::digest(text.as_bytes()));
    let fact = Fact::new(Kind::RulesLoaded, Clock::system().now())
        .body(text)
        .note(&json!({ "files": config.rules, "hash": format!("sha256:{hash}") }));
    let sessions = places::load(&config.sessions)?.to_json();
    let said = Fact::new(Kind::RulesLoaded, Clock::system().now())
        .body(sessions.to_string())
        .note(&json!({ "about": rules::SESSIONS, "places": config.sessions.places }));
    if recorder.record(fact).is_none() || recorder.record(said).is_none() {
        tracing::error!("the recorder could not take the rules");
    }
    Ok(())
}

/// What the operator says about the estate, so that the recording can be judged without its files. Nothing is said too, if
/// an earlier run had something to say.
fn tell_estate(config: &Config, recorder: &Recorder) -> Result<(), CliError> {
    let estate = match fleet::load(&config.estate) {
        Ok(estate) => estate,
        // It was fine when the tap started. Without it chargers have no groups; without this process nothing is recorded.
        Err(error) => {
            tracing::error!(code = error.code, why = %error.message.escape_debug(), "the estate is left out");
            return Ok(());
        }
    };
    let said = Reader::open(&config.recording)?.of_kind(Kind::EstateLoaded, 0, 1)?;
    if estate.is_empty() && said.is_empty() {
        return Ok(());
    }
    let fact = Fact::new(Kind::EstateLoaded, Clock::system().now())
        .body(super::to_json(&estate)?)
        .note(&json!({ "chargers": config.estate.chargers }));
    if recorder.record(fact).is_none() {
        tracing::error!("the recorder could not take the estate");
    }
    Ok(())
}

/// The criteria of the gate, so that every view weighs by the same ones.
fn tell_gate(config: &Config, recorder: &Recorder) {
    let text = match fleet::gate(&config.estate) {
        Ok(None) => return,
        Ok(Some(text)) => text,
        Err(error) => {
            tracing::error!(code = error.code, why = %error.message.escape_debug(), "the gate file is left out");
            return;
        }
    };
    let hash = super::hex(&Sha256::digest(text.as_bytes()));
    let fact = Fact::new(Kind::GateLoaded, Clock::system().now())
        .body(text)
        .note(&json!({ "file": config.estate.gate, "hash": format!("sha256:{hash}") }));
    if recorder.record(fact).is_none() {
        tracing::error!("the recorder could not take the gate file");
    }
}

/// What `TapStarted` says. A URL's query may be secret, and does not show.
fn setup(config: &Config) -> Map<String, Value> {
    let mut setup = Map::new();
    for leg in [Leg::Legacy, Leg::Candidate] {
        let backend = config.backend(leg);
        let place = live::Backend::parse(&backend.url);
        let place = place.map_or_else(|_| backend.url.clone(), |place| place.to_string());
        setup.insert(leg.word().to_owned(), json!(place));
    }
    setup.insert("authority".to_owned(), json!(config.authority.word()));
    for (key, backend) in [
        ("build", &config.candidate),
        ("legacy_build", &config.legacy),
    ] {
        if let Some(build) = &backend.build {
            setup.insert(key.to_owned(), json!(build));
        }
    }
    setup
}

fn limits(config: &Config) -> recorder::Limits {
    recorder::Limits {
        queue_bytes: config.limits.recorder,
        pack_after: Some(config.recorded.pack_after).filter(|age| !age.is_zero()),
        ..recorder::Limits::default()
    }
}

/// Listens for chargers whose transactions have two names. Without it those are not moved before they end.
fn mediator(
    config: &Config,
    switchboard: &Switchboard,
    recorder: &Recorder,
) -> Result<Option<Mediator>, CliError> {
    let backends = [
        tap::backend(Leg::Legacy.word(), &config.legacy)?,
        tap::backend(Leg::Candidate.word(), &config.candidate)?,
    ];
    let tuning = tap::live_settings(config)?.tuning();
    let bound = Mediator::bind(
        &config.recording,
        backends,
        tuning,
        switchboard.clone(),
        recorder,
    );
    Ok(bound
        .inspect(|_| switchboard.mediates())
        .inspect_err(|error| {
            tracing::warn!(
                why = super::chain(error),
                "no mediator: chargers with open transactions stay where they are"
            );
        })
        .ok())
}

/// What a backend can be, as its settings say.
fn face(backends: &[ShadowSettings], leg: Leg) -> Face {
    let mut of_leg = backends.iter().filter(|settings| settings.leg == leg);
    of_leg.next().map_or_else(Face::default, |settings| Face {
        no_authority: (!settings.backend.is_plain()).then(|| {
            "its URL puts more into a request than a path in front of the identity".to_owned()
        }),
        logs_in: settings.credentials.are_any(),
    })
}

/// How the legs of chargers reach a backend that is their shadow.
fn shadow_settings(config: &Config, leg: Leg) -> Result<ShadowSettings, CliError> {
    let backend = config.backend(leg);
    Ok(ShadowSettings {
        // Where the chargers go anyway their legs may go, too.
        allows_local: backend.allow_local || leg == config.authority,
        credentials: credentials(backend)?,
        answer_timeout: config.shadow.answer_timeout,
        certificates: config.shadow.certificates,
        retries: config.shadow.retries,
        connect_timeout: config.shadow.connect_timeout,
        probes_offer: config.shadow.probe_offer,
        takeover: if config.shadow.collapse {
            Takeover::Collapse
        } else {
            Takeover::Mirror
        },
        queue: QueueLimits {
            count: config.shadow.queue_messages,
            bytes: config.shadow.queue_bytes,
        },
        queue_bytes_total: config.shadow.total_bytes,
        hold: config.shadow.hold,
        reuse: config.shadow.reuse,
        simulate: config.shadow.simulate.clone(),
        ..ShadowSettings::new(leg, tap::backend(leg.word(), backend)?)
    })
}

/// TLS towards the shadow backend cannot be set up.
pub(super) fn no_tls(error: &TlsError) -> CliError {
    CliError::new(Exit::Environment, "TLS-002", super::chain(error))
}

/// What the shadow legs log in with, read from its files.
pub(super) fn credentials(backend: &Backend) -> Result<Credentials, CliError> {
    let unusable = |code, error: &dyn Error| {
        CliError::new(Exit::Usage, code, super::chain(error))
            .help("the shadow leg logs in with credentials of its own; `chmod 600` their files")
    };
    let password = match &backend.password {
        None => None,
        Some(SecretRef::File(file)) => Some(Secret::from_file(file)),
        Some(SecretRef::HexFile(file)) => Some(Secret::from_hex_file(file)),
        Some(SecretRef::Env(name)) => Some(Secret::from_env(name)),
    };
    let password = password
        .transpose()
        .map_err(|error| unusable("CFG-013", &error))?;
    let each = backend
        .credentials
        .as_ref()
        .map(|file| credentials::read(file, &backend.user))
        .transpose()
        .map_err(|error: CredentialsError| unusable("CFG-020", &error))?;
    Ok(Credentials {
        each: each.unwrap_or_default(),
        passed: backend.pass_credentials,
        all: password.map(|password| Login {
            user: backend.user.clone(),
            password,
        }),
    })
}

/// Whatever this process does may wait; what the live plane does may not.
fn yield_to_the_live_plane(niceness: u8) {
    if let Err(error) = rustix::process::setpriority_process(None, niceness.into()) {
        tracing::warn!(%error, "the shadow plane runs at the live plane's priority");
    }
}

/// The hand-over socket, which is this process's standard input.
fn hand_over() -> Result<StdUnixStream, CliError> {
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(StdUnixStream::from)
        .map_err(|error| no_hand_over(&error))
}

fn no_hand_over(error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "TAP-002",
        format!("no hand-over on standard input: {error}"),
    )
    .help("this verb is started by `evenkeel tap`, not by hand")
}
