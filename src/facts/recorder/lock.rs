//! The lock of a recording: it has one writer.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::RecordingError;
use crate::facts::store;

/// The lock file in a recording's directory.
const LOCK: &str = "recorder.lock";

/// Takes the recording's lock, waiting up to `wait` for who holds it. The lock lives as long as the file is open, so a
/// killed process cannot leave it behind.
pub(super) fn take_lock(dir: &Path, wait: Duration) -> Result<fs::File, RecordingError> {
    let path = dir.join(LOCK);
    let mut file = store::private_file(&path)?;
    let deadline = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(RecordingError::Locked {
                    path: dir.to_owned(),
                    holder: holder(&path),
                });
            }
            Err(fs::TryLockError::Error(source)) => {
                return Err(RecordingError::Io {
                    what: "lock",
                    path,
                    source,
                });
            }
        }
    }
    sign(&mut file).map_err(|source| RecordingError::Io {
        what: "write",
        path,
        source,
    })?;
    Ok(file)
}

/// Holds a recording that nobody records into: what derives from it may be written meanwhile.
#[derive(Debug)]
pub struct Claim {
    _lock: fs::File,
}

/// Claims the recording in `dir`; `None` while a recorder is at work in it.
pub fn claim(dir: &Path) -> Result<Option<Claim>, RecordingError> {
    match take_lock(dir, Duration::ZERO) {
        Ok(lock) => Ok(Some(Claim { _lock: lock })),
        Err(RecordingError::Locked { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn sign(file: &mut fs::File) -> std::io::Result<()> {
    use std::io::Write as _;
    file.set_len(0)?;
    write!(file, "{}", std::process::id())
}

fn holder(lock: &Path) -> String {
    match fs::read_to_string(lock) {
        Ok(pid) if !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("process {pid}")
        }
        _ => "another process".to_owned(),
    }
}
