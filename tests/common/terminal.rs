//! A program on a terminal of its own.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a failed step of a test should end it"
)]

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal of 120 columns and 40 rows with a program on it, which goes with it.
pub struct Terminal {
    /// The program.
    pub child: Child,
    /// Our end; dropping it hangs up.
    pub master: Option<File>,
    /// What has been read of what the program wrote.
    pub seen: String,
}

impl Terminal {
    /// Starts a program on a new terminal.
    pub fn open(command: Command) -> Self {
        Self::with(command, |_| {})
    }

    /// Starts a program on a terminal that takes no byte of it until somebody reads.
    pub fn clogged(command: Command) -> Self {
        Self::with(command, |name| {
            let mut options = File::options();
            let flags = OFlags::NONBLOCK.bits() as i32;
            let mut slave = options.write(true).custom_flags(flags).open(name).unwrap();
            let full = loop {
                if let Err(error) = slave.write(&[b'x'; 512]) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
        })
    }

    fn with(mut command: Command, prepare: impl FnOnce(&str)) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(&name).unwrap();
        prepare(&name);
        let slave = OwnedFd::from(slave);
        let size = Winsize {
            ws_row: 40,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self {
            child,
            master: Some(File::from(master)),
            seen: String::new(),
        }
    }

    /// Reads what comes within this time; false if nothing does.
    pub fn read(&mut self, patience: Duration) -> bool {
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
    pub fn await_text(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.read(left), "no {text:?} in {:?}", self.seen);
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let master = self.master.as_mut().unwrap();
        master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads all that comes until nobody is left to write.
    pub fn read_to_end(&mut self) -> &str {
        while self.read(PATIENCE) {}
        &self.seen
    }

    /// Waits for the end; gives back how long that took.
    pub fn ended(&mut self) -> Duration {
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
