//! The program itself: in a pipe, on a terminal of its own, and when that terminal goes away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use evenkeel::watch::terminal::Screen;

use crate::night::Night;
use crate::terminal::Terminal;

/// What enters and leaves the alternate screen.
const ENTERED: &str = "\u{1b}[?1049h";
const LEFT: &str = "\u{1b}[?1049l";

/// Variables that tell this program, when it runs on a terminal, where to panic and where to keep that.
const WHERE: &str = "EVENKEEL_TEST_PANICS";
const LOG: &str = "EVENKEEL_TEST_LOG";

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

fn open(night: &Night) -> Terminal {
    Terminal::open(evenkeel(night, &["--ascii"]))
}

#[test]
fn without_colours_a_real_terminal_gets_none_and_states_are_words() {
    let night = Night::planned();
    let mut command = evenkeel(&night, &[]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::open(command);
    terminal.await_text("NEEDS A PERSON");
    for key in ["2", "3", "5", "6", "4"] {
        terminal.press(key);
    }
    terminal.await_text("FAILED");
    terminal.press("q");
    let seen = terminal.read_to_end();
    assert_eq!(crate::colours::colours(seen), Vec::<u32>::new());
    // The night is long over, and that is a word too.
    assert!(seen.contains("STALE"), "{seen:?}");
}

#[test]
fn leaving_restores_the_terminal() {
    let night = Night::whole();
    let mut terminal = open(&night);
    terminal.await_text("NEEDS A PERSON");
    assert!(
        terminal.seen.contains(ENTERED),
        "the alternate screen is entered"
    );
    terminal.press("q");
    terminal.await_text(LEFT);
    terminal.ended();
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn leaving_with_a_capital_leaves_the_screen() {
    let night = Night::whole();
    let mut terminal = open(&night);
    terminal.await_text("NEEDS A PERSON");
    terminal.press("Q");
    let (_, after) = terminal.read_to_end().split_once(LEFT).unwrap();
    assert!(after.contains("NEEDS A PERSON"), "{after:?}");
}

#[test]
fn a_terminal_that_hangs_up_ends_it_within_a_second() {
    let night = Night::whole();
    let mut terminal = open(&night);
    terminal.await_text("NEEDS A PERSON");
    drop(terminal.master.take());
    let took = terminal.ended();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// This test program again, on a terminal: it panics there as [`panics_on_a_terminal`] is told.
fn panicking(where_to: &str, log: &Path) -> Terminal {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["alone::panics_on_a_terminal", "--exact", "--ignored"])
        .arg("--nocapture");
    command.env(WHERE, where_to).env(LOG, log);
    Terminal::open(command)
}

#[test]
#[ignore = "it needs a terminal, and is given one by the tests of panics"]
fn panics_on_a_terminal() {
    let log = PathBuf::from(std::env::var_os(LOG).unwrap());
    let mut screen = Screen::enter(log).unwrap();
    screen
        .draw(|frame| frame.render_widget("picture", frame.area()))
        .unwrap();
    if std::env::var(WHERE).unwrap() == "drawing" {
        screen.draw(|_| panic!("planted")).unwrap();
    }
    let reading = std::thread::spawn(|| panic!("planted"));
    assert!(reading.join().is_err());
    let broken = screen.whole().unwrap_err();
    drop(screen);
    println!("{broken}");
}

#[test]
fn a_panic_restores_the_terminal_and_says_where_its_log_is() {
    for (where_to, last) in [
        ("drawing", "its log is"),
        ("reading", "panicked: panicked at"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("viewer.log");
        let mut terminal = panicking(where_to, &log);
        let seen = terminal.read_to_end().to_owned();
        let (before, after) = seen.rsplit_once(LEFT).unwrap();
        assert!(before.contains("picture"), "{seen}");
        assert!(before.contains(ENTERED) && before.contains("\u{1b}[?25l"));
        assert!(after.contains("\u{1b}[?25h"), "the cursor is back: {seen}");
        assert!(
            after.contains(last) && after.contains("viewer.log"),
            "{seen}"
        );
        assert!(after.contains("The tap keeps running"), "{seen}");
        assert!(!after.contains("picture"), "{seen}");
        let kept = std::fs::read_to_string(&log).unwrap();
        assert!(kept.contains("planted"), "{kept}");
    }
}
