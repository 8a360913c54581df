//! Sick candidates.

use std::time::Duration;

use evenkeel::facts::Kind;
use evenkeel::replay::sim::Fault;

use crate::night::{Backend, candidate};
use crate::rude::{Manner, Rude};
use crate::tap::{Setup, Tap, address_space, eventually};
use crate::{Trouble, count, survives};

/// A simulated candidate that misbehaves in the middle of the night.
struct Sick {
    candidate: Backend,
    fault: Fault,
    heard: usize,
}

impl Sick {
    fn boxed(fault: Fault) -> Box<dyn Trouble> {
        Box::new(Self {
            candidate: candidate(),
            fault,
            heard: 0,
        })
    }
}

impl Trouble for Sick {
    fn candidate(&self) -> String {
        self.candidate.url()
    }

    fn setup(&self, setup: &mut Setup) {
        setup
            .sections
            .push_str("[shadow]\nanswer_timeout = \"200ms\"\n");
    }

    fn begin(&mut self, _: &Tap) {
        eventually("the candidate heard both chargers", || {
            self.candidate.log().connected().len() == 2
        });
        self.heard = self.candidate.log().entries().len();
        self.candidate.misbehave(self.fault);
    }

    fn end(&mut self, _: &Tap) {
        self.candidate.misbehave(Fault::None);
        assert_eq!(self.candidate.log().strays(), []);
    }
}

#[test]
fn item_8_a_silent_candidate_is_not_felt() {
    let lived = survives(|| Sick::boxed(Fault::Silent));
    assert!(count(&lived, Kind::ShadowSilent) > 2);
}

#[test]
fn item_8_a_slow_candidate_is_not_felt() {
    let lived = survives(|| Sick::boxed(Fault::Slow(Duration::from_millis(150))));
    let exchanges = lived.recording.exchanges();
    let slow = exchanges.iter().filter(|one| one.shadow_us > Some(150_000));
    assert!(slow.count() > 2);
}

#[test]
fn item_8_a_stalled_candidate_is_not_felt() {
    let lived = survives(|| Sick::boxed(Fault::Stall));
    assert!(count(&lived, Kind::ShadowSilent) > 2);
}

#[test]
fn item_8_a_candidate_that_answers_garbage_is_not_felt() {
    let lived = survives(|| Sick::boxed(Fault::Garbage));
    let received = lived.recording.of_kind(Kind::ShadowReceived);
    let garbage = received
        .iter()
        .filter(|fact| fact.body.starts_with(b"[3,") && fact.body.last() != Some(&b']'));
    assert!(garbage.count() > 2);
}

#[test]
fn item_8_a_candidate_that_floods_is_not_felt() {
    let lived = survives(|| Sick::boxed(Fault::Flood));
    assert!(count(&lived, Kind::ShadowAnswered) > 100);
}

/// A candidate that is killed in the middle of the night and comes back.
struct Killed(Backend);

impl Trouble for Killed {
    fn candidate(&self) -> String {
        self.0.url()
    }

    fn begin(&mut self, _: &Tap) {
        eventually("the candidate heard both chargers", || {
            self.0.log().connected().len() == 2
        });
        self.0.kill();
    }

    fn during(&mut self, _: &Tap) {
        assert_eq!(self.0.log().handshakes(), 2);
    }

    fn end(&mut self, _: &Tap) {
        self.0.revive();
        eventually("both chargers are shadowed again", || {
            self.0.log().handshakes() == 4
        });
        assert_eq!(self.0.log().strays(), []);
    }
}

#[test]
fn item_8_a_candidate_that_is_killed_is_not_felt() {
    let lived = survives(|| Box::new(Killed(candidate())));
    assert!(count(&lived, Kind::ShadowClosed) >= 2);
    assert!(count(&lived, Kind::ShadowOpened) >= 4);
}

/// A candidate at whose address nobody listens.
struct Absent;

impl Trouble for Absent {
    fn candidate(&self) -> String {
        // Port 1 of the loopback interface: taken by nobody, and never given to anybody who asks for a free one.
        "ws://127.0.0.1:1/ocpp".to_owned()
    }
}

#[test]
fn item_8_a_candidate_that_refuses_connections_is_not_felt() {
    let lived = survives(|| Box::new(Absent));
    assert!(count(&lived, Kind::ShadowRefused) >= 2);
    assert_eq!(count(&lived, Kind::ShadowSent), 0);
    let diffs = lived.recording.diffs();
    assert_eq!(diffs["outcomes"]["equal"], 0);
}

/// A candidate that breaks the WebSocket protocol itself.
struct Raw {
    rude: Rude,
    atleast: u64,
}

impl Raw {
    fn boxed(manner: Manner, atleast: u64) -> Box<dyn Trouble> {
        Box::new(Self {
            rude: Rude::start(manner),
            atleast,
        })
    }
}

impl Trouble for Raw {
    fn candidate(&self) -> String {
        self.rude.url.clone()
    }

    fn end(&mut self, tap: &Tap) {
        assert!(self.rude.guests() >= 2);
        eventually("it misbehaved", || self.rude.sent() >= self.atleast);
        let size = address_space(tap.shadow());
        assert!(size < 1 << 30, "the shadow plane uses {size} bytes");
    }
}

#[test]
fn item_8_a_candidate_that_never_answers_a_handshake_is_not_felt() {
    let lived = survives(|| Raw::boxed(Manner::Mute, 0));
    assert_eq!(count(&lived, Kind::ShadowOpened), 0);
}

#[test]
fn item_8_a_candidate_that_never_reads_is_not_felt() {
    survives(|| Raw::boxed(Manner::Deaf, 0));
}

#[test]
fn item_8_a_candidate_with_frames_of_100_mib_is_not_felt() {
    survives(|| Raw::boxed(Manner::Frames(100 << 20), 1 << 16));
}

#[test]
fn item_8_a_candidate_that_sends_noise_is_not_felt() {
    survives(|| Raw::boxed(Manner::Noise, 1 << 16));
}
