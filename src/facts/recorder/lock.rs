//! The lock of a recording: it has one writer.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::RecordingError;
use crate::facts::store;

/// The lock file in a recording's directory.
const LOCK: &str = "recorder.lock";

/// The lock of a recording, held until it is dropped. The kernel drops it with the process, so a killed one cannot leave it
/// behind.
#[derive(Debug)]
pub(super) struct Lock(fs::File);

impl Drop for Lock {
    /// Closing the file alone would not do: a child process that another thread is about to start holds the file open too,
    /// until it runs its own program.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot unlock the recording; closing its lock file must do");
        }
    }
}

/// Takes the recording's lock, waiting up to `wait` for who holds it.
pub(super) fn take_lock(dir: &Path, wait: Duration) -> Result<Lock, RecordingError> {
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
    Ok(Lock(file))
}

/// Holds a recording that nobody records into: what derives from it may be written meanwhile.
#[derive(Debug)]
pub struct Claim {
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: Lock,
}

/// Claims the recording in `dir`; `None` while a recorder is at work in it.
pub fn claim(dir: &Path) -> Result<Option<Claim>, RecordingError> {
    match take_lock(dir, Duration::ZERO) {
        Ok(lock) => Ok(Some(Claim { lock })),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_dropped_is_free_though_its_file_is_still_open_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let claim = claim(dir.path()).unwrap().unwrap();
        // What a child process has between its birth and its own program: the same open file.
        let inherited = claim.lock.0.try_clone().unwrap();
        assert!(super::claim(dir.path()).unwrap().is_none());
        drop(claim);
        assert!(super::claim(dir.path()).unwrap().is_some());
        drop(inherited);
    }
}
