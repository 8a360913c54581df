//! `evenkeel tap`: the live plane, which starts and supervises the shadow plane.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::child::LISTENING;
use super::config::flags::Flags;
use super::config::{self, Config};
use super::error::{CliError, Exit};
use super::logging::{self, LogFormat};
use super::vitals::TapVitals;
use super::{boards, fleet, health, models, rules, shadow_plane};
use crate::clock::Clock;
use crate::facts::authority::Journal;
use crate::live::routes::Route;
use crate::live::{Backend, Handover, LiveError, LivePlane, ShadowCommand, settings};
use crate::shadow::mediator;

/// Runs the tap: passes chargers' traffic to the authority, copies it to the other backend, records and compares.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    flags: Flags,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
    /// End when the process that started the tap ends.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Runs the verb until Ctrl-C or SIGTERM.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let config = options.flags.resolve()?;
    rules::load(&config.rules)?;
    models::load(config.shadow.models.as_deref())?;
    fleet::load(&config.estate)?;
    fleet::gate(&config.estate)?;
    if options.end_with_parent {
        end_with_parent()?;
    }
    let _logging = logging::start(options.log);
    dump_no_core();
    let runtime = super::runtime()?;
    runtime.block_on(serve(&config, options.log))?;
    Ok(Exit::Parity)
}

async fn serve(config: &Config, log: LogFormat) -> Result<(), CliError> {
    let settings = settings::Settings {
        // Before the first charger is let in: each has one authority, whatever was killed before.
        routes: routes(config)?,
        mediators: Some(mediator::sockets(&config.recording)),
        ..live_settings(config)?
    };
    let plane = LivePlane::bind(settings).map_err(|error| cannot_run(&error))?;
    // Before anything can fail: a board that no recording names would stay in memory for ever.
    boards::mark(&plane.seen_board(), &config.recording);
    if !config.shadow.simulate.is_empty() {
        tracing::warn!(actions = %config.shadow.simulate.join(", "),
            "SIMULATION: the shadow backend is told that chargers obeyed these; what follows from it is not compared");
    }
    let scheme = if config.tls.is_some() { "wss" } else { "ws" };
    for address in plane.local_addrs() {
        tracing::info!("{LISTENING}{scheme}://{address}");
    }
    if let Some(address) = config.health {
        let vitals = Arc::new(TapVitals::new(plane.metrics()));
        let bound = health::serve(address, vitals)?;
        tracing::info!("metrics and health on http://{bound}");
    }
    let command = shadow_command(config, log, plane.seen_board())?;
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(stop_on_signal(stop)?);
    plane
        .run(Handover::spawn(command), stopping)
        .await
        .map_err(|error| cannot_run(&error))
}

/// The ways of chargers that were moved, as the recording tells them.
///
/// The shadow plane of a tap that was killed may still be syncing a last step, which is not read here. That step can only
/// be the first of its charger, as no order goes out before a step is synced: the charger is where it was and hears the names
/// that it knows, until the new shadow plane has read all steps and orders it on.
fn routes(config: &Config) -> Result<Vec<(String, Route)>, CliError> {
    let journal = Journal::at(&config.recording).map_err(|error| {
        CliError::new(
            Exit::Environment,
            "CUT-008",
            format!("cannot tell which backend each charger belongs to: {error}"),
        )
        .help("it stands in the recording, and guessing could charge a driver twice; give the tap another --recording to begin anew")
    })?;
    let chargers = journal.chargers.iter();
    Ok(chargers
        .map(|(charger, standing)| {
            let route = Route {
                authority: standing.authority,
                mediated: standing.is_mediated(),
                held: !standing.is_admitted(),
            };
            (charger.to_string(), route)
        })
        .collect())
}

/// The first signal ends every connection, hands over what is left and lets the recording close; the second leaves.
fn stop_on_signal(
    stop: watch::Sender<bool>,
) -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let no_signals = |error: std::io::Error| {
        CliError::new(
            Exit::Environment,
            "ENV-005",
            format!("cannot watch for signals: {error}"),
        )
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    Ok(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                tracing::info!("stopping; once more to leave at once");
                stop.send_replace(true);
            }
        }
        tracing::warn!("left at once; what the shadow plane still held will be accounted by it");
        std::process::exit(Exit::Interrupted as i32);
    })
}

/// A backend as both planes need it; `name` is its section.
pub(super) fn backend(name: &str, backend: &config::Backend) -> Result<Backend, CliError> {
    let mut parsed = Backend::parse(&backend.url)
        .map_err(|error| CliError::new(Exit::Usage, "CFG-007", format!("{name}.url: {error}")))?;
    parsed.ca_file.clone_from(&backend.ca);
    parsed.client = backend.client.as_ref().map(files);
    Ok(parsed)
}

/// Certificate and key.
pub(super) fn files(tls: &config::TlsFiles) -> settings::TlsFiles {
    settings::TlsFiles {
        certificates: tls.cert.clone(),
        key: tls.key.clone(),
    }
}

pub(super) fn live_settings(config: &Config) -> Result<settings::Settings, CliError> {
    let keepalive = &config.keepalive;
    let first = config
        .listen
        .first()
        .copied()
        .ok_or_else(|| CliError::new(Exit::Usage, "CFG-003", "no listening address"))?;
    let defaults = settings::Settings::new(
        first,
        backend("legacy", &config.legacy)?,
        backend("candidate", &config.candidate)?,
    );
    Ok(settings::Settings {
        listen: config.listen.clone(),
        base_path: config.base_path.clone(),
        authority: config.authority,
        tls: config.tls.as_ref().map(files),
        client_auth: config
            .client_auth
            .as_ref()
            .map(|client| settings::ClientAuth {
                ca_file: client.ca.clone(),
                required: client.required,
            }),
        allowed: config
            .allow
            .as_ref()
            .map(|allow| allow.iter().cloned().collect()),
        pass_credentials: config.legacy.pass_credentials || config.candidate.pass_credentials,
        handover_bytes: config.limits.handover,
        capture_limit: u32::try_from(config.limits.capture).unwrap_or(u32::MAX),
        charger_keepalive: settings::Keepalive {
            idle: keepalive.idle,
            interval: keepalive.interval,
            count: keepalive.count,
        },
        user_timeout: keepalive.user_timeout,
        max_connections: config.limits.connections,
        // Epochs are unique in a recording because no two connections, of this run or an earlier one, begin in the same
        // microsecond. Asking the recording instead would make the live plane wait for a disk.
        first_conn: Clock::system().now().unsigned_abs(),
        lasting_board: true,
        ..defaults
    })
}

fn shadow_command(
    config: &Config,
    log: LogFormat,
    board: PathBuf,
) -> Result<ShadowCommand, CliError> {
    let program = std::env::current_exe().map_err(|error| {
        CliError::new(
            Exit::Environment,
            "ENV-006",
            format!("cannot find the own program: {error}"),
        )
    })?;
    let args: [OsString; 7] = [
        shadow_plane::VERB.into(),
        "--settings".into(),
        super::to_json(&Config {
            // It is the live plane's business, and may be longer than an argument.
            allow: None,
            ..config.clone()
        })?
        .into(),
        "--seen".into(),
        board.into(),
        "--log".into(),
        match log {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        },
    ];
    Ok(ShadowCommand {
        program: program.into(),
        args: args.into(),
    })
}

pub(super) fn cannot_run(error: &LiveError) -> CliError {
    let text = super::chain(error);
    match error {
        LiveError::Listen { address, .. } => {
            CliError::new(Exit::Environment, "NET-001", format!("cannot {text}")).help(format!(
                "is another tap, or the backend itself, on {address}? `ss -ltnp` tells"
            ))
        }
        LiveError::Tls(_) => CliError::new(Exit::Usage, "TLS-001", text).help(
            "both files must be PEM; the certificate file begins with the tap's own certificate",
        ),
        LiveError::NoFace(..) => CliError::new(Exit::Usage, "CUT-007", text)
            .help("chargers belong to it already: mend its section, or roll them back with the old configuration"),
        LiveError::Template(_) => CliError::new(Exit::Usage, "CFG-016", text)
            .help("only the shadow's URL can be a template"),
        LiveError::NoListener | LiveError::Board(_) => {
            CliError::new(Exit::Environment, "NET-002", text)
        }
    }
}

/// Chargers' passwords pass through memory: a crash leaves no copy on disk. The shadow plane inherits the limit.
fn dump_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a crash may leave a core file, which may hold passwords");
    }
}

fn end_with_parent() -> Result<(), CliError> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT)).map_err(
        |error| {
            CliError::new(
                Exit::Environment,
                "ENV-007",
                format!("cannot follow the parent process: {error}"),
            )
        },
    )
}
