//! A sick shadow plane: its process, its memory, its disk, its log.

use std::fs;
use std::process::{Command, Stdio};

use evenkeel::facts::Kind;
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Signal, kill_process};
use serde_json::json;

use crate::night::{Backend, candidate};
use crate::tap::{Setup, Tap, eventually, limit};
use crate::{Trouble, count, frames_in_gaps, ledger_of, live_digest, survives};

/// What is done to the shadow plane at the beginning, and at the end, of the trouble.
pub(crate) struct Plane {
    pub(crate) candidate: Backend,
    pub(crate) handover: &'static str,
    pub(crate) setup: fn(&mut Setup),
    pub(crate) begin: fn(&Tap, Pid),
    pub(crate) during: fn(&Tap, Pid),
    pub(crate) end: fn(&Tap, Pid),
    pub(crate) victim: Option<Pid>,
}

impl Plane {
    pub(crate) fn new() -> Self {
        Self {
            candidate: candidate(),
            handover: "64MiB",
            setup: |_| {},
            begin: |_, _| {},
            during: |_, _| {},
            end: |_, _| {},
            victim: None,
        }
    }
}

impl Trouble for Plane {
    fn candidate(&self) -> String {
        self.candidate.url()
    }

    fn setup(&self, setup: &mut Setup) {
        setup.sections = format!("[limits]\nhandover = {:?}\n", self.handover);
        (self.setup)(setup);
    }

    fn begin(&mut self, tap: &Tap) {
        let victim = tap.shadow();
        self.victim = Some(victim);
        (self.begin)(tap, victim);
    }

    fn during(&mut self, tap: &Tap) {
        (self.during)(tap, self.victim.unwrap());
    }

    fn end(&mut self, tap: &Tap) {
        (self.end)(tap, self.victim.unwrap());
        tap.records();
        assert_eq!(self.candidate.log().strays(), []);
    }
}

#[test]
fn a_killed_shadow_plane_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            begin: kill,
            // Whoever has come up meanwhile goes down again.
            during: |tap, _| kill(tap, tap.shadow()),
            end: |tap, victim| assert_ne!(tap.shadow(), victim),
            ..Plane::new()
        })
    });
    assert!(frames_in_gaps(&lived) > 0);
    assert!(count(&lived, Kind::PlaneStarted) >= 2);
}

/// Kills a shadow plane and waits until the tap has noticed.
fn kill(tap: &Tap, victim: Pid) {
    let before = tap.metric("evenkeel_shadow_restarts_total");
    kill_process(victim, Signal::KILL).unwrap();
    eventually("the tap notices", || {
        tap.metric("evenkeel_shadow_restarts_total") > before
    });
}

/// A shadow plane that is killed just before the tap stops.
struct KilledLast(Backend);

impl Trouble for KilledLast {
    fn candidate(&self) -> String {
        self.0.url()
    }

    fn last(&mut self, tap: &Tap) {
        for _ in 0..3 {
            kill(tap, tap.shadow());
        }
    }
}

#[test]
fn law_3_the_last_frames_are_accounted_for_without_a_shadow_plane() {
    let lived = survives(|| Box::new(KilledLast(candidate())));
    let accounting = &lived.verified["accounting"];
    assert_eq!(
        (&accounting["open"], &accounting["uncounted"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(accounting["frames_seen"], lived.night.messages() + 4);
}

#[test]
fn a_shadow_plane_out_of_memory_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            // What it gets once it wakes up is more than its heap has room for.
            begin: |_, victim| {
                kill_process(victim, Signal::STOP).unwrap();
                limit(victim, Resource::Data, Some(1 << 20));
            },
            end: |tap, victim| {
                kill_process(victim, Signal::CONT).unwrap();
                eventually("the shadow plane runs out of memory", || {
                    tap.shadow() != victim
                });
            },
            ..Plane::new()
        })
    });
    assert!(count(&lived, Kind::PlaneStarted) >= 2);
}

#[test]
fn a_quota_that_is_used_up_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            setup: |setup| setup.survives_quota = true,
            begin: |_, victim| limit(victim, Resource::Fsize, Some(1 << 16)),
            end: |tap, victim| {
                eventually("health tells", || {
                    let (well, says) = tap.health();
                    !well
                        && says["shadow"]["state"]
                            .to_string()
                            .contains("not committing")
                });
                limit(victim, Resource::Fsize, None);
            },
            ..Plane::new()
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0, "memory held them all");
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

/// A file system of its own for the recording, gone with the test. Only root can make one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.run(&["mount", "-t", "tmpfs", "evenkeel-test"])
            .then_some(disk)
    }

    fn resize(&self, size: &str) {
        assert!(self.run(&["mount", "-o", &format!("remount,size={size}")]));
    }

    fn run(&self, words: &[&str]) -> bool {
        let mut command = Command::new(words[0]);
        let command = command.args(&words[1..]).arg(self.0.path());
        command
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.run(&["umount", "--lazy"]);
    }
}

/// A recording on a disk of 1 MiB, which gets more room in the end.
struct Cramped<'a> {
    plane: Plane,
    disk: &'a Disk,
}

impl Trouble for Cramped<'_> {
    fn candidate(&self) -> String {
        self.plane.candidate()
    }

    fn setup(&self, setup: &mut Setup) {
        setup.recording = self.disk.0.path().join("recording");
        // A try before this one may have left a recording.
        let _ = fs::remove_dir_all(&setup.recording);
        self.disk.resize("1m");
    }

    fn end(&mut self, tap: &Tap) {
        tap.says("disk is full");
        tap.is_unwell();
        self.disk.resize("64m");
        tap.records();
    }
}

#[test]
fn a_disk_without_room_is_not_felt() {
    let Some(disk) = Disk::mount() else {
        println!("left out: this user may not mount a small file system");
        return;
    };
    let lived = survives(|| {
        Box::new(Cramped {
            plane: Plane::new(),
            disk: &disk,
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0, "memory held them all");
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

#[test]
fn a_log_that_nobody_reads_is_not_felt() {
    survives(|| {
        Box::new(Plane {
            setup: |setup| {
                setup.log_unread = true;
            },
            end: |tap, _| tap.is_choked(),
            ..Plane::new()
        })
    });
}

#[test]
fn a_ledger_that_cannot_be_written_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            setup: |setup| fs::create_dir_all(ledger_of(&setup.recording)).unwrap(),
            end: |tap, _| {
                tap.says("judging failed");
                fs::remove_dir(ledger_of(&tap.recording().0)).unwrap();
            },
            ..Plane::new()
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0);
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

/// Someone else's tool holds the facts for a while.
struct Locked {
    plane: Plane,
    lock: Option<Connection>,
}

impl Trouble for Locked {
    fn candidate(&self) -> String {
        self.plane.candidate()
    }

    fn begin(&mut self, tap: &Tap) {
        let database = Connection::open(tap.recording().0.join("facts.db")).unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        self.plane.begin(tap);
        self.lock = Some(database);
    }

    fn end(&mut self, tap: &Tap) {
        eventually("the recorder cannot commit", || !tap.is_well());
        self.lock = None;
        self.plane.end(tap);
    }
}

#[test]
fn a_locked_database_is_not_felt() {
    let lived = survives(|| {
        Box::new(Locked {
            plane: Plane::new(),
            lock: None,
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0, "memory held them all");
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}
