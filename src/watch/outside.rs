//! What effects do outside: clipboard, files of evidence, bell.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::terminal;
use super::text::shown;
use crate::clock::Micros;
use crate::facts::private;

/// Texts longer than this go into a file: terminals cut what is too long, or refuse it.
pub const CLIP: usize = 32 << 10;

/// Where files go.
#[derive(Debug, Clone)]
pub struct Outside {
    folder: PathBuf,
}

impl Outside {
    /// Files go into `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Puts a text into the clipboard, or into a file if it is too long; says which.
    pub fn copy(&self, text: &str, now: Micros) -> String {
        if text.len() <= CLIP {
            return match terminal::clip(text) {
                Ok(()) => format!("copied {} bytes as Markdown (OSC 52)", text.len()),
                Err(error) => format!("cannot copy: {error}"),
            };
        }
        self.export(&format!("copy-{}.md", stamp(now)), text)
    }

    /// Writes a file; says where it is.
    pub fn export(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(plain(name));
        match private::folder(&self.folder).and_then(|()| private::write(&path, text)) {
            Ok(()) => format!("written to {}", path.display()),
            Err(error) => format!("cannot write {}: {error}", path.display()),
        }
    }

    /// Has the bundle of a finding made; says where it is, or why there is none. It may take long: what it leaves out is tried,
    /// and what is left is proved, by a process of its own.
    pub fn bundle(&self, recording: &Path, finding: &str) -> String {
        let path = self.folder.join(plain(finding) + ".bundle.json");
        let made = private::folder(&self.folder)
            .and_then(|()| std::env::current_exe())
            .and_then(|program| {
                let mut bundle = Command::new(program);
                bundle.args(["bundle", "--finding", finding, "--out"]);
                bundle.arg(&path).arg(recording).stdin(Stdio::null());
                bundle.output()
            });
        match made {
            Ok(made) if made.status.success() => format!("bundle in {}", path.display()),
            Ok(made) => {
                let why = String::from_utf8_lossy(&made.stderr);
                let why = why.lines().next().unwrap_or("nothing was said");
                format!("no bundle of {finding}: {}", shown(why))
            }
            Err(error) => format!("no bundle of {finding}: {error}"),
        }
    }

    /// Keeps a screen as evidence: its text, what it shows as JSON, and the SHA-256 of both.
    pub fn evidence(&self, (text, json): (&str, &str), now: Micros) -> Result<PathBuf, io::Error> {
        let place = self.free(now);
        private::folder(&place)?;
        let mut sums = String::new();
        for (name, content) in [("screen.txt", text), ("screen.json", json)] {
            private::write(&place.join(name), content)?;
            // Writing into a string cannot fail.
            let _ = writeln!(sums, "{}  {name}", hex(&Sha256::digest(content)));
        }
        private::write(&place.join("SHA256SUMS"), &sums)?;
        Ok(place)
    }

    /// A folder that is not there yet: evidence is never written over.
    fn free(&self, now: Micros) -> PathBuf {
        let first = self.folder.join(format!("E-{}", stamp(now)));
        let numbered = (2..).map(|number| self.folder.join(format!("E-{}-{number}", stamp(now))));
        std::iter::once(first)
            .chain(numbered)
            .find(|place| !place.exists())
            .unwrap_or_else(|| self.folder.clone())
    }
}

/// A time as part of a file name.
fn stamp(now: Micros) -> String {
    crate::ledger::views::rfc3339(now)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(15)
        .collect()
}

/// A name without a path in it.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
