//! Structured logs on stderr that never make anybody wait.
//!
//! A full pipe or a stopped terminal must not reach a charger, so lines go through a bounded channel to a thread of their
//! own; what does not fit is dropped and counted.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Libraries that would print messages and requests, passwords in them included, whatever level is asked for.
const TALKATIVE: &str = "tungstenite=info,tokio_tungstenite=info";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Keeps the log thread alive; flushes when dropped.
pub struct Logging {
    dropped: ErrorCounter,
    _guard: WorkerGuard,
}

impl Logging {
    /// Log lines dropped so far because nobody read them.
    pub fn dropped(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Starts logging. `EVENKEEL_LOG` takes filters such as `debug` or `evenkeel::live=debug`; the default is `info`.
pub fn start(format: LogFormat) -> Logging {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(4_096)
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    let asked = std::env::var("EVENKEEL_LOG").unwrap_or_default();
    let asked = if asked.is_empty() { "info" } else { &asked };
    let filter = EnvFilter::try_new(format!("{asked},{TALKATIVE}"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false);
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // A second start (tests run verbs in one process) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal() && !no_color)
            .try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Logging {
        dropped,
        _guard: guard,
    }
}
