//! Folders and files that only their owner can read: a recording holds personal data, and a backend's URL may hold a
//! password.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a folder, and those above it, unless it is there. One that is there keeps its mode.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file, in place of what was in it. One that is there keeps its mode.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut open = OpenOptions::new();
    let open = open.write(true).create(true).truncate(true).mode(0o600);
    open.open(path)?.write_all(text.as_bytes())
}
