//! The task behind one charger connection: it speaks to the shadow backend the way the charger would.
//!
//! Connect, introduce the charger, send one CALL at a time, answer commands through the stand-in, come back when the
//! backend was away. Nothing here can reach a charger: the task owns a socket to the shadow backend, and the charger's
//! messages come to it as text.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::select;
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::facts::Kind;

use super::dial::{Caller, DialError, Dialed, Dialler};
use super::link::{Ending, Link};
use super::pace::{Backoff, Pace};
use super::prime::Ids;
use super::queue::Gate;
use super::socket::Socket;

mod session;

use session::{End, Session};

/// How long a polite end may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Runs a leg until the charger's connection ends. `charger_caused`: the charger has just connected, so it may introduce
/// itself.
pub async fn run(link: Rc<Link>, dialler: Rc<Dialler>, pace: Rc<Pace>, mut charger_caused: bool) {
    let settings = Rc::clone(&link.common().settings);
    link.adopt();
    let mut backoff = Backoff::new(settings.backoff, &link.charger);
    let mut ids = Ids::new(link.conn, Clock::system().now());
    if settings.probes_offer && charger_caused {
        let probe = Box::pin(probe(&link, &dialler, &pace));
        select! {
            biased;
            _ = link.ended() => return,
            () = probe => {}
        }
    }
    loop {
        // Boxed: what an attempt needs shall not weigh on a leg that has been open for days.
        let attempt = Box::pin(connect(&link, &dialler, &pace));
        let dialed = select! {
            biased;
            _ = link.ended() => return,
            dialed = attempt => dialed,
        };
        match dialed {
            Ok(socket) => {
                let since = Instant::now();
                let mut session = Session::new(&link, socket, &mut ids, charger_caused);
                let end = session.serve().await;
                let socket = session.into_socket();
                if since.elapsed() > settings.backoff.1 {
                    backoff.reset();
                }
                match end {
                    End::Charger(ending) => {
                        if ending != Ending::Stopping {
                            Box::pin(socket.finish(None, GOODBYE)).await;
                        }
                        return;
                    }
                    End::Restart => {
                        tracing::warn!(charger = %link.charger.escape_debug(), conn = link.conn,
                            "simulated restart: the shadow leg connects again");
                        link.restarted();
                        Box::pin(socket.finish(None, GOODBYE)).await;
                    }
                    End::Backend(end) => {
                        tracing::info!(charger = %link.charger.escape_debug(), conn = link.conn,
                            why = %end.to_string().escape_debug(), "shadow leg lost");
                        link.lost(&end);
                        Box::pin(socket.finish(Some(&end), GOODBYE)).await;
                    }
                }
            }
            Err(error) => refused(&link, &error),
        }
        charger_caused = false;
        select! {
            biased;
            _ = link.ended() => return,
            () = sleep(backoff.wait()) => {}
        }
    }
}

async fn connect(link: &Link, dialler: &Dialler, pace: &Pace) -> Result<Socket, DialError> {
    pace.turn().await;
    let started = Clock::system().now();
    // Boxed only now: of many legs that wait for their turn few are in a handshake.
    let dial = Box::pin(dialler.dial(caller(link), link.handshake.subprotocol.as_deref()));
    let Dialed {
        socket,
        subprotocol,
    } = dial.await?;
    link.set_connected(true);
    link.record(
        Kind::ShadowOpened,
        &json!({
            "subprotocol": subprotocol,
            "status": 101,
            "elapsed_us": Clock::system().now() - started,
        }),
    );
    tracing::info!(charger = %link.charger.escape_debug(), conn = link.conn, "shadow leg open");
    Ok(socket)
}

fn caller(link: &Link) -> Caller<'_> {
    Caller {
        charger: &link.charger,
        login: link.handshake.login.as_ref(),
    }
}

/// Offers once all that the charger offered, and hangs up: after a cutover the backend would get that offer, and what it
/// chooses then decides which version the charger speaks.
async fn probe(link: &Link, dialler: &Dialler, pace: &Pace) {
    let offered = link.handshake.offered.as_deref();
    if !offered.is_some_and(|offered| offered.contains(',')) {
        return;
    }
    pace.turn().await;
    let mut note = match dialler.dial(caller(link), offered).await {
        Ok(Dialed {
            socket,
            subprotocol,
        }) => {
            socket.finish(None, GOODBYE).await;
            json!({"status": 101, "subprotocol": subprotocol})
        }
        Err(error) => error.note(),
    };
    note["offered"] = json!(offered);
    note["probe"] = json!(true);
    link.record(Kind::ShadowRefused, &note);
}

fn refused(link: &Link, error: &DialError) {
    tracing::info!(charger = %link.charger.escape_debug(), conn = link.conn,
        why = %error.to_string().escape_debug(), "shadow leg refused");
    link.record(Kind::ShadowRefused, &error.note());
    link.set_gate(if error.is_refusal() {
        Gate::Refused
    } else {
        Gate::Away
    });
}
