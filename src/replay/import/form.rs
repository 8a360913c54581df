//! Formats, and how a file is recognised by what stands in it.

use std::fmt;

use crate::ocpp::Envelope;

/// How much of a file is looked at.
const LOOK: usize = 256 << 10;

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OCPP `DebugKit`: an object with `events`, one event a line, or an array of messages.
    Debugkit,
    /// Open OCPP Trace records, one a line or in an array.
    OpenTrace,
    /// SteVe's log: lines of its `WebSocketLogger`.
    Steve,
    /// Rows of CitrineOS's table `OCPPMessages`, as CSV with a heading, JSON or JSON Lines.
    Citrineos,
    /// The log of the Python package `ocpp`: `ID: receive message [...]`, `ID: send [...]`.
    Python,
    /// Lines with a message each, and before it perhaps a time.
    Plain,
    /// `evenkeel export facts`.
    Facts,
}

impl Format {
    /// Every format, in the order in which they are tried.
    pub const ALL: [Self; 7] = [
        Self::Facts,
        Self::Debugkit,
        Self::OpenTrace,
        Self::Citrineos,
        Self::Steve,
        Self::Python,
        Self::Plain,
    ];

    /// The word that names it on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debugkit => "debugkit",
            Self::OpenTrace => "open-trace",
            Self::Steve => "steve",
            Self::Citrineos => "citrineos",
            Self::Python => "python",
            Self::Plain => "plain",
            Self::Facts => "facts",
        }
    }

    /// The reverse of [`Format::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debugkit => "an OCPP DebugKit trace",
            Self::OpenTrace => "an Open OCPP Trace",
            Self::Steve => "a SteVe log",
            Self::Citrineos => "rows of CitrineOS's OCPPMessages",
            Self::Python => "a log of the Python package ocpp",
            Self::Plain => "plain lines of OCPP messages",
            Self::Facts => "facts of an Evenkeel recording",
        })
    }
}

/// The format of a file, by its content.
pub(super) fn detect(bytes: &[u8]) -> Option<Format> {
    let head = String::from_utf8_lossy(bytes.get(..LOOK).unwrap_or(bytes));
    let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next()?;
    if Envelope::parse(first).is_ok() {
        return Some(Format::Plain);
    }
    if first.starts_with('{') || first == "[" || first.starts_with("[{") || first.starts_with("[[")
    {
        return records(&head);
    }
    let columns = first.to_ascii_lowercase();
    let is_column = |name: &str| {
        columns
            .split([',', ';', '\t'])
            .any(|it| it.trim_matches('"') == name)
    };
    if is_column("origin") && (is_column("message") || is_column("raw")) {
        return Some(Format::Citrineos);
    }
    if head.contains("[chargeBoxId=") {
        return Some(Format::Steve);
    }
    if lines
        .clone()
        .any(|line| line.contains(": receive message [") || line.contains(": send ["))
    {
        return Some(Format::Python);
    }
    lines
        .any(|line| super::lines::message(line).is_some())
        .then_some(Format::Plain)
}

/// The format of JSON, by the members of its first records.
fn records(head: &str) -> Option<Format> {
    let has = |name: &str| head.contains(&format!("\"{name}\""));
    if has("v") && head.contains("evenkeel.fact/") {
        Some(Format::Facts)
    } else if has("origin") && (has("message") || has("raw")) {
        Some(Format::Citrineos)
    } else if head.contains("cp-to-csms") || head.contains("csms-to-cp") || has("schemaVersion") {
        Some(Format::OpenTrace)
    } else if has("events") || has("message") || head.trim_start().starts_with('[') {
        Some(Format::Debugkit)
    } else {
        None
    }
}
