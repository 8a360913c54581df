//! The archive that a report is sent in: its files, the hash of each, and who vouches for them.
//!
//! The same files give the same bytes: no time, no name of a machine and no order but that of the names is in it. The
//! archive's comment is the hash of everything before it, so that not one byte can be another without being noticed;
//! whoever could also change the comment is stopped by the signature of the manifest.

pub mod seal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::render::File;
use seal::{Signer, Witness};

/// The list of hashes: what `sha256sum -c` reads.
pub const MANIFEST: &str = "MANIFEST";

/// The Ed25519 signature of the manifest, 64 bytes.
pub const SIGNATURE: &str = "MANIFEST.sig";

/// The comment of an archive: this and 64 hexadecimal digits.
const COMMENT: &str = "sha256:";
const COMMENT_BYTES: usize = COMMENT.len() + 64;

/// The end of an archive: 22 bytes, of which the last two tell how long the comment is.
const END: usize = 22;

/// Files in an archive at most, and bytes of each once it is unpacked: an archive from outside is not trusted.
const FILES: usize = 10_000;
const LARGEST: u64 = 256 * 1024 * 1024;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is no archive, or a damaged one.
    #[error("not a whole archive: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// Memory or disk refused.
    #[error("pack files: {0}")]
    Io(#[from] std::io::Error),
    /// It holds more than any report does.
    #[error("{0} is larger than any report")]
    Large(String),
}

/// What became of checking an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many files are what the manifest says.
    pub files: usize,
    /// What is wrong, in sentences; empty if nothing is.
    pub broken: Vec<String>,
    /// Whether there is a signature, and whether it was checked and holds.
    pub signature: Signature,
}

/// What is known of a signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    #[default]
    None,
    /// There is one, and nobody said by whom it should be.
    Unchecked,
    /// It is that of the key that was named.
    Holds,
    /// It is not.
    Broken,
}

/// Packs files, with a manifest and, if there is a signer, its signature.
pub fn pack(files: &[File], signer: Option<&Signer>) -> Result<Vec<u8>, PackageError> {
    let mut entries: BTreeMap<&str, &[u8]> = (files.iter())
        .map(|file| (file.name.as_str(), file.bytes.as_slice()))
        .collect();
    let manifest = manifest(&entries);
    let signature = signer.map(|signer| signer.sign(manifest.as_bytes()));
    entries.insert(MANIFEST, manifest.as_bytes());
    if let Some(signature) = &signature {
        entries.insert(SIGNATURE, signature);
    }
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(name, options)?;
        writer.write_all(bytes)?;
    }
    let bytes = writer.finish()?.into_inner();
    Ok(commented(bytes))
}

/// The hash of each file, by name.
fn manifest(entries: &BTreeMap<&str, &[u8]>) -> String {
    let mut out = String::new();
    for (name, bytes) in entries {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{}  {name}", hash(bytes));
    }
    out
}

fn hash(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The archive with the hash of all its bytes as its comment.
fn commented(mut archive: Vec<u8>) -> Vec<u8> {
    let comment = format!("{COMMENT}{}", hash(&archive));
    let end = archive.len();
    archive[end - 2..].copy_from_slice(&(COMMENT_BYTES as u16).to_le_bytes());
    archive.extend_from_slice(comment.as_bytes());
    archive
}

/// Whether every byte of an archive is the one that was written.
fn is_unaltered(archive: &[u8]) -> bool {
    let Some(end) = archive
        .len()
        .checked_sub(COMMENT_BYTES)
        .filter(|end| *end >= END)
    else {
        return false;
    };
    let (body, comment) = archive.split_at(end);
    let (rest, length) = body.split_at(end - 2);
    let mut plain = rest.to_vec();
    plain.extend_from_slice(&[0, 0]);
    length == (COMMENT_BYTES as u16).to_le_bytes()
        && comment == format!("{COMMENT}{}", hash(&plain)).as_bytes()
}

/// Whether these bytes begin as an archive does.
pub fn is_archive(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// Checks an archive against its own manifest, and its signature if a witness is named.
pub fn check(archive: &[u8], witness: Option<&Witness>) -> Checked {
    let mut checked = Checked::default();
    if !is_unaltered(archive) {
        checked.broken.push("the archive is not as it was written: a byte was altered, or another program packed it".to_owned());
    }
    match unpack(archive) {
        Ok(files) => contents(&files, witness, &mut checked),
        Err(error) => checked.broken.push(error.to_string()),
    }
    checked
}

fn contents(files: &[File], witness: Option<&Witness>, checked: &mut Checked) {
    let by_name: BTreeMap<&str, &[u8]> = files
        .iter()
        .map(|file| (file.name.as_str(), file.bytes.as_slice()))
        .collect();
    let Some(listed) = by_name.get(MANIFEST) else {
        checked.broken.push(format!("it holds no {MANIFEST}"));
        return;
    };
    if by_name.len() != files.len() {
        checked.broken.push("a file is in it twice".to_owned());
    }
    let text = String::from_utf8_lossy(listed);
    let mut unlisted: BTreeMap<&str, &[u8]> = by_name.clone();
    unlisted.remove(MANIFEST);
    unlisted.remove(SIGNATURE);
    for line in text.lines() {
        let (expected, name) = line.split_once("  ").unwrap_or((line, ""));
        match unlisted.remove(name) {
            None => checked.broken.push(format!("{name} is missing")),
            Some(bytes) if hash(bytes) != expected => {
                checked
                    .broken
                    .push(format!("{name} is not what the manifest says"));
            }
            Some(_) => checked.files += 1,
        }
    }
    for name in unlisted.keys() {
        checked
            .broken
            .push(format!("{name} is not in the manifest"));
    }
    checked.signature = match (by_name.get(SIGNATURE), witness) {
        (None, None) => Signature::None,
        (None, Some(_)) => {
            checked.broken.push("it is not signed".to_owned());
            Signature::None
        }
        (Some(_), None) => Signature::Unchecked,
        (Some(signature), Some(witness)) if witness.confirms(listed, signature) => Signature::Holds,
        (Some(_), Some(_)) => {
            checked
                .broken
                .push("the signature is not that of the key that was named".to_owned());
            Signature::Broken
        }
    };
}

/// The files of an archive.
pub fn unpack(archive: &[u8]) -> Result<Vec<File>, PackageError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    if archive.len() > FILES {
        return Err(PackageError::Large("the archive".to_owned()));
    }
    let mut files = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let mut bytes = Vec::new();
        entry.by_ref().take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(PackageError::Large(name));
        }
        files.push(File { name, bytes });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        vec![
            File::new("b.txt", "words ".repeat(200)),
            File::new("a.txt", ""),
            File::new("c/d.bin", vec![0, 159, 146, 150]),
        ]
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let packed = pack(&files(), None).unwrap();
        let mut turned = files();
        turned.reverse();
        assert_eq!(pack(&turned, None).unwrap(), packed);
        let names: Vec<String> = unpack(&packed)
            .unwrap()
            .into_iter()
            .map(|file| file.name)
            .collect();
        assert_eq!(names, [MANIFEST, "a.txt", "b.txt", "c/d.bin"]);
        let checked = check(&packed, None);
        assert_eq!((checked.files, checked.signature), (3, Signature::None));
        assert!(checked.broken.is_empty(), "{checked:?}");
    }

    #[test]
    fn no_byte_can_be_another() {
        let packed = pack(&files(), None).unwrap();
        for at in 0..packed.len() {
            let mut altered = packed.clone();
            altered[at] ^= 1;
            assert!(
                !check(&altered, None).broken.is_empty(),
                "byte {at} of {}",
                packed.len()
            );
        }
        assert!(!check(&packed[..packed.len() - 1], None).broken.is_empty());
        assert!(!check(b"", None).broken.is_empty());
    }

    #[test]
    fn what_is_packed_anew_is_held_against_the_signature() {
        let signer = Signer::made_up();
        let packed = pack(&files(), Some(&signer)).unwrap();
        let witness = signer.witness();
        assert_eq!(check(&packed, Some(&witness)).signature, Signature::Holds);
        assert_eq!(check(&packed, None).signature, Signature::Unchecked);
        let mut forged = files();
        forged[0].bytes.push(b'!');
        let forged = pack(&forged, Some(&Signer::made_up())).unwrap();
        assert_eq!(check(&forged, Some(&witness)).signature, Signature::Broken);
        let unsigned = check(&pack(&files(), None).unwrap(), Some(&witness));
        assert_eq!(unsigned.broken, ["it is not signed"]);
    }
}
