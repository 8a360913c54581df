//! Viewers are processes of their own: whatever becomes of them is nothing to the tap.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::night::{Backend, candidate};
use crate::tap::Tap;
use crate::terminal::Terminal;
use crate::{Tapped, Trouble, survives, twin};

fn viewer(recording: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.arg("watch").arg(recording);
    command
        .env_clear()
        .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
    command
}

/// Three viewers of one recording: one is killed and another comes, one is frozen, one's terminal takes no byte.
struct Viewers {
    candidate: Backend,
    killed: Option<Terminal>,
    frozen: Option<Terminal>,
    unread: Option<Terminal>,
    kills: u32,
}

impl Trouble for Viewers {
    fn candidate(&self) -> String {
        self.candidate.url()
    }

    fn begin(&mut self, tap: &Tap) {
        let mut frozen = Terminal::open(viewer(&tap.recording().0));
        frozen.await_text("GROUPS");
        kill_process(Pid::from_child(&frozen.child), Signal::STOP).unwrap();
        self.frozen = Some(frozen);
        self.unread = Some(Terminal::clogged(viewer(&tap.recording().0)));
        self.during(tap);
    }

    fn during(&mut self, tap: &Tap) {
        if let Some(mut killed) = self.killed.take() {
            killed.await_text("GROUPS");
            killed.child.kill().unwrap();
            killed.ended();
            self.kills += 1;
        }
        self.killed = Some(Terminal::open(viewer(&tap.recording().0)));
    }

    fn end(&mut self, _: &Tap) {
        assert_eq!(self.kills, 3);
        let mut frozen = self.frozen.take().unwrap();
        while frozen.read(Duration::ZERO) {}
        kill_process(Pid::from_child(&frozen.child), Signal::CONT).unwrap();
        frozen.press("q");
        frozen.await_text("\u{1b}[?1049l");
        let mut unread = self.unread.take().unwrap();
        assert!(unread.child.try_wait().unwrap().is_none());
        unread.await_text("GROUPS");
    }
}

/// What a charger may wait longer for its answer than without viewers.
fn allowed(calm: Duration) -> Duration {
    calm.mul_f64(1.1) + Duration::from_millis(1)
}

#[test]
fn viewers_that_are_killed_frozen_or_stuck_are_not_felt() {
    let lived = |()| -> Tapped {
        survives(|| {
            Box::new(Viewers {
                candidate: candidate(),
                killed: None,
                frozen: None,
                unread: None,
                kills: 0,
            })
        })
    };
    let mut waits = Vec::new();
    for _ in 0..crate::TRIES {
        let (median, calm) = (lived(()).night.median(), twin().median());
        println!("median {median:?}, without viewers {calm:?}");
        if median <= allowed(calm) {
            return;
        }
        waits.push(median);
    }
    panic!("chargers waited {waits:?} instead of {:?}", twin().median());
}
