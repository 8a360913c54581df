//! The keys of reports: the one that pseudonyms are made with, and the one that signs.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::cli::error::{CliError, Exit};
use crate::report::package::seal::Signer;
use crate::report::veil::KEY_BYTES;

/// Its name beside the facts, unless another is named.
const NAME: &str = "report.key";

/// The key in `file`, or that of the recording `dir`; made if it is not there.
pub(super) fn of(dir: &Path, file: Option<&Path>) -> Result<[u8; KEY_BYTES], CliError> {
    let own = dir.join(NAME);
    let path = file.unwrap_or(&own);
    match std::fs::read_to_string(path) {
        Ok(text) => parsed(&text).ok_or_else(|| {
            let message = format!(
                "{} is no key: 64 hexadecimal digits are expected",
                path.display()
            );
            CliError::new(Exit::Usage, "RPT-002", message)
                .help("name another file with --key; one that is not there is made")
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => made(path),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn parsed(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text = text.trim();
    let mut key = [0; KEY_BYTES];
    if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

/// A new key, its owner's alone.
fn made(path: &Path) -> Result<[u8; KEY_BYTES], CliError> {
    let mut key = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| {
        CliError::new(
            Exit::Environment,
            "RPT-003",
            "the system gives no random numbers for a key",
        )
    })?;
    let text = super::super::hex(&key) + "\n";
    let mut open = OpenOptions::new();
    let file = open.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(|error| unusable(path, &error))?;
    eprintln!(
        "made the key of the pseudonyms, {}: it stays here, and whoever has it can tell who is who",
        path.display()
    );
    Ok(key)
}

fn unusable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("cannot use the key file {}: {error}", path.display());
    CliError::new(Exit::Environment, "RPT-003", message).help("name another file with --key")
}

/// The key that signs.
pub(super) fn signer(path: &Path) -> Result<Signer, CliError> {
    let text = std::fs::read(path).map_err(|error| unusable(path, &error))?;
    Signer::from_pem(&text).map_err(|error| {
        let message = format!("{}: {}", path.display(), super::super::chain(&error));
        CliError::new(Exit::Usage, "RPT-002", message)
            .help("`openssl genpkey -algorithm ed25519 -out FILE` makes one")
    })
}
