//! The program itself: in a pipe, on a terminal of its own, and when that terminal goes away.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::night::Night;

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(20);

fn evenkeel(night: &Night, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.arg("watch").args(more).arg(night.place());
    command
        .env_clear()
        .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")]);
    command
}

#[test]
fn a_pipe_gets_one_picture_and_no_escape() {
    let night = Night::whole();
    let output = evenkeel(&night, &[]).output().unwrap();
    let (text, talk) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{talk}");
    assert!(
        text.contains("GROUPS 1") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(talk.contains("this is one picture"), "{talk}");
}

#[test]
fn lines_are_sentences() {
    let night = Night::whole();
    let mut told = evenkeel::watch::lines::Lines::default();
    let books = evenkeel::watch::books::Books::open(&night.place()).unwrap();
    let mask = evenkeel::watch::mask::Mask::new("a run", true);
    let mut out = Vec::new();
    told.tell(
        &books,
        (&mask, evenkeel::watch::text::Zone::Fixed(3_600)),
        &mut out,
    )
    .unwrap();
    insta::assert_snapshot!("lines", String::from_utf8(out).unwrap());
    let mut again = Vec::new();
    told.tell(
        &books,
        (&mask, evenkeel::watch::text::Zone::Fixed(3_600)),
        &mut again,
    )
    .unwrap();
    assert!(again.is_empty(), "nothing is told twice");
}

/// The program on a terminal of its own.
struct Terminal {
    child: Child,
    master: Option<File>,
    seen: String,
}

impl Terminal {
    fn open(night: &Night) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave: OwnedFd = File::options()
            .read(true)
            .write(true)
            .open(name)
            .unwrap()
            .into();
        tcsetwinsize(
            &slave,
            Winsize {
                ws_row: 40,
                ws_col: 120,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .unwrap();
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        let mut command = evenkeel(night, &["--ascii"]);
        let child = command
            .stdin(end(&slave))
            .stdout(end(&slave))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop((command, slave));
        let master = File::from(master);
        Self {
            child,
            master: Some(master),
            seen: String::new(),
        }
    }

    /// Reads what comes within this time; false if nothing does.
    fn read(&mut self, patience: Duration) -> bool {
        let Some(master) = &mut self.master else {
            return false;
        };
        let wait = Timespec::try_from(patience).unwrap();
        let mut watched = [PollFd::new(&*master, PollFlags::IN)];
        if poll(&mut watched, Some(&wait)).unwrap() == 0 {
            return false;
        }
        let mut piece = [0; 4096];
        // A pseudo-terminal without a program on it cannot be read.
        let length = master.read(&mut piece).unwrap_or_default();
        self.seen += &String::from_utf8_lossy(&piece[..length]);
        length > 0
    }

    /// Waits until the terminal was sent this.
    fn await_text(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.read(left), "no {text:?} in {:?}", self.seen);
        }
    }

    fn press(&mut self, keys: &str) {
        self.master
            .as_mut()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Waits for the end; gives back how long that took.
    fn ended(&mut self) -> Duration {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return began.elapsed();
            }
            // The system tells the end of a child to its parent alone, who has nothing to wait on but this.
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it did not end");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn leaving_restores_the_terminal() {
    let night = Night::whole();
    let mut terminal = Terminal::open(&night);
    terminal.await_text("NEEDS A PERSON");
    assert!(
        terminal.seen.contains("\u{1b}[?1049h"),
        "the alternate screen is entered"
    );
    terminal.press("q");
    terminal.await_text("\u{1b}[?1049l");
    terminal.ended();
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn leaving_with_a_capital_leaves_the_screen() {
    let night = Night::whole();
    let mut terminal = Terminal::open(&night);
    terminal.await_text("NEEDS A PERSON");
    terminal.press("Q");
    terminal.await_text("\u{1b}[?1049l");
    while terminal.read(PATIENCE) {}
    terminal.ended();
    let (_, after) = terminal.seen.split_once("\u{1b}[?1049l").unwrap();
    assert!(after.contains("NEEDS A PERSON"), "{after:?}");
}

#[test]
fn a_terminal_that_hangs_up_ends_it_within_a_second() {
    let night = Night::whole();
    let mut terminal = Terminal::open(&night);
    terminal.await_text("NEEDS A PERSON");
    drop(terminal.master.take());
    let took = terminal.ended();
    assert!(took < Duration::from_secs(1), "{took:?}");
}
