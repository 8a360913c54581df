//! Entering and leaving the terminal, whatever happens in between.

use std::fmt::Write as _;
use std::io::{self, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    KeyEventKind, MouseEventKind,
};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::app::Event;
use super::keys::Key;

/// How often the input thread looks whether anybody still listens.
const LOOK: Duration = Duration::from_millis(500);

/// A thread that the dashboard needs has panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the dashboard panicked: {says}; its log is {}. The tap keeps running", log.display())]
pub struct Broken {
    /// Where and why.
    says: String,
    /// Where that is kept.
    log: PathBuf,
}

/// A terminal in raw mode on its alternate screen; dropping it restores what was there.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    state: Arc<State>,
}

/// What the screen and the hook of panics share.
#[derive(Default)]
struct State {
    broken: OnceLock<Broken>,
    left: AtomicBool,
}

impl State {
    /// Restores the terminal, once: what is written after that is not to be written over.
    fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            // The terminal may be gone: then there is nothing to restore.
            let _ = restore();
        }
    }
}

impl Screen {
    /// Enters. From here on a panic of this thread restores the terminal, keeps its message in `log` and says where that is;
    /// one of another thread is kept likewise and found by [`Self::whole`].
    pub fn enter(log: PathBuf) -> io::Result<Self> {
        let state = Arc::default();
        hook(log, &state);
        enable_raw_mode()?;
        let entered = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            cursor::Hide
        )
        .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match entered {
            Ok(terminal) => Ok(Self { terminal, state }),
            Err(error) => {
                restore()?;
                Err(error)
            }
        }
    }

    /// Whether no thread has panicked. The one that draws asks, because only it can leave the terminal in order.
    pub fn whole(&self) -> Result<(), Broken> {
        self.state.broken.get().cloned().map_or(Ok(()), Err)
    }

    /// Draws what has changed.
    pub fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Width and height.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Everything is drawn anew the next time.
    pub fn forget(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.state.leave();
    }
}

/// What happens at a panic, as long as the screen is there.
fn hook(log: PathBuf, state: &Arc<State>) {
    let (drawing, state) = (std::thread::current().id(), Arc::downgrade(state));
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let Some(state) = state.upgrade() else {
            return earlier(panic);
        };
        let kept = keep(&log, &panic.to_string());
        if std::thread::current().id() != drawing {
            // Of several the first is the cause.
            let _ = state.broken.set(Broken {
                says: panic.to_string(),
                log: log.clone(),
            });
            return;
        }
        state.leave();
        earlier(panic);
        if kept {
            eprintln!(
                "the dashboard stopped; its log is {}. The tap keeps running.",
                log.display()
            );
        }
    }));
}

fn restore() -> io::Result<()> {
    let shown = execute!(
        io::stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    disable_raw_mode().and(shown)
}

fn keep(log: &Path, message: &str) -> bool {
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log);
    opened
        .and_then(|mut file| writeln!(file, "{message}"))
        .is_ok()
}

/// Whether the terminal has hung up.
pub fn is_gone() -> bool {
    let out = io::stdout();
    let mut watched = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut watched, Some(&now)) {
        Ok(_) => watched[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(error) => error != rustix::io::Errno::INTR,
    }
}

/// The input thread: keys, paste, wheel and size, until nobody listens or the terminal is gone.
pub fn read(out: &Sender<Event>) {
    loop {
        let event = match event::poll(LOOK) {
            Ok(false) => {
                if out.send(Event::Time).is_err() {
                    return;
                }
                continue;
            }
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let Ok(event) = event else {
            // Nobody is left to listen if this fails, too.
            let _ = out.send(Event::End);
            return;
        };
        if let Some(event) = meant(event)
            && out.send(event).is_err()
        {
            return;
        }
    }
}

fn meant(event: event::Event) -> Option<Event> {
    match event {
        event::Event::Key(key) if key.kind != KeyEventKind::Release => Key::of(key).map(Event::Key),
        event::Event::Paste(text) => Some(Event::Paste(text)),
        event::Event::Resize(width, height) => Some(Event::Size(width, height)),
        event::Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollUp => Some(Event::Wheel(-3)),
            MouseEventKind::ScrollDown => Some(Event::Wheel(3)),
            _ => None,
        },
        _ => None,
    }
}

/// Lets the terminal report the mouse, or not.
pub fn mouse(on: bool) -> io::Result<()> {
    if on {
        execute!(io::stdout(), EnableMouseCapture)
    } else {
        execute!(io::stdout(), DisableMouseCapture)
    }
}

/// The bell, and a title that says why.
pub fn ring(says: &str) -> io::Result<()> {
    let title: String = says.chars().filter(|c| !c.is_control()).take(60).collect();
    let mut out = io::stdout();
    out.write_all(b"\x07")?;
    execute!(out, SetTitle(format!("evenkeel: {title}")))
}

/// Asks the terminal to put a text into the clipboard (OSC 52): that works over SSH, too.
pub fn clip(text: &str) -> io::Result<()> {
    use base64::Engine as _;
    let coded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut sequence = String::with_capacity(coded.len() + 8);
    // Writing into a string cannot fail.
    let _ = write!(sequence, "\x1b]52;c;{coded}\x07");
    let mut out = io::stdout();
    out.write_all(sequence.as_bytes())?;
    out.flush()
}
