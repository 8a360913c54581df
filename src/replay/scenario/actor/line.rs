//! The charger's connection: it comes, goes, breaks, and comes again.

use super::{Actor, DialError, End};
use crate::replay::play::line;
use crate::replay::scenario::model::{Act, Connection};

impl Actor<'_> {
    /// Dials, as this charger.
    pub(super) async fn connect(&mut self) -> Result<(), DialError> {
        let offered = self.stage.target.subprotocol.as_deref();
        let offered = offered.unwrap_or_else(|| self.scenario.version.subprotocol());
        let (line, _) = line::open(&self.dialler, &self.identity, Some(offered)).await?;
        self.line = Some(line);
        Ok(())
    }

    pub(super) async fn dial_again(&mut self) -> Result<(), End> {
        self.line = None;
        let dialled = self.connect().await;
        dialled.map_err(|error| (format!("the charger was not let in again: {error}"), true))
    }

    /// The network goes, with a goodbye or without.
    pub(super) async fn go(&mut self, how: Connection) {
        let Some(line) = self.line.take() else {
            return;
        };
        if how == Connection::Closed {
            line.close().await;
        }
    }

    /// The network is there again: what waited is said in its order.
    pub(super) async fn come_back(&mut self) -> Result<(), End> {
        self.dial_again().await?;
        let here = self.step;
        while let Some(kept) = self.kept.pop_front() {
            self.step = kept.step;
            if let Act::Call(call) = &self.scenario.steps[kept.step].act {
                self.call(call, kept.now).await?;
            }
        }
        self.step = here;
        Ok(())
    }

    /// Sends a text in so many frames.
    pub(super) async fn send(&mut self, text: &str, fragments: u32) -> Result<(), End> {
        let patience = self.stage.target.patience;
        let Some(line) = &mut self.line else {
            return Ok(());
        };
        let sent = line.send_fragments(text, fragments, patience).await;
        match sent {
            // It is said once more on the next connection.
            Err(_) if self.may_be_cut => {
                self.may_be_cut = false;
                self.dial_again().await?;
                let Some(line) = &mut self.line else {
                    return Ok(());
                };
                let sent = line.send_fragments(text, fragments, patience).await;
                sent.map_err(|end| (format!("the connection ended: {}", end.why), true))
            }
            sent => sent.map_err(|end| (format!("the connection ended: {}", end.why), true)),
        }
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        if let Some(line) = self.line.take() {
            line.close().await;
        }
        self.half_open.clear();
    }
}
