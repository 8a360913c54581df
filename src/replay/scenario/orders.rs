//! Who lets the backends send what a scenario awaits: the built-in ones are told, for others a program may be run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::pair::Pair;
use crate::facts::Leg;

/// Who orders.
#[derive(Debug)]
pub enum Orders {
    /// The built-in backends are told.
    Pair(Pair),
    /// This program is run for each command: its arguments are `legacy` or `candidate`, the charger and the action, and the
    /// payload is on its standard input.
    Program(PathBuf),
    /// Nobody: what comes, comes.
    Nobody,
}

/// A command that a backend shall send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) charger: &'a str,
    pub(super) action: &'a str,
    pub(super) payload: &'a Value,
    /// How long it may take.
    pub(super) within: Duration,
}

/// Why a program did not order.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// It could not be run.
    #[error("run {program}: {source}")]
    Run {
        program: String,
        source: std::io::Error,
    },
    /// It did not end well.
    #[error("{program} for {action} at {leg} ended with {status}")]
    Failed {
        program: String,
        action: String,
        leg: &'static str,
        status: String,
    },
}

impl Orders {
    /// Lets a backend send a command.
    pub(super) async fn give(&self, leg: Leg, order: Order<'_>) -> Result<(), OrderError> {
        match self {
            Self::Nobody => Ok(()),
            Self::Program(program) => run(program, leg, order).await,
            Self::Pair(pair) => {
                let command = (order.action, order.payload.clone());
                let sent = pair.command(leg, order.charger, command, order.within);
                if let Err(error) = sent.await {
                    // The step says that no command came.
                    tracing::debug!(%error, "the built-in backend was not answered");
                }
                Ok(())
            }
        }
    }
}

async fn run(program: &Path, leg: Leg, order: Order<'_>) -> Result<(), OrderError> {
    let name = || program.display().to_string();
    let failed = |status: String| OrderError::Failed {
        program: name(),
        action: order.action.to_owned(),
        leg: leg.word(),
        status,
    };
    let running = async {
        let mut child = Command::new(program)
            .args([leg.word(), order.charger, order.action])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let written = stdin.write_all(order.payload.to_string().as_bytes()).await;
            // A program that needs no payload may have closed its input.
            if let Err(error) = written
                && error.kind() != std::io::ErrorKind::BrokenPipe
            {
                return Err(error);
            }
        }
        child.wait().await
    };
    match timeout(order.within, running).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(status.to_string())),
        Ok(Err(source)) => Err(OrderError::Run {
            program: name(),
            source,
        }),
        Err(_) => Err(failed(format!("no end within {:?}", order.within))),
    }
}
