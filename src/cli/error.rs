//! Errors as a person meets them: code, sentence, place, help; rendered once, here at the edge.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Parity, or GO.
    Parity = 0,
    /// A divergence, or NO-GO.
    Divergence = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Not enough evidence: HOLD.
    Evidence = 3,
    /// The environment said no: cannot reach, bind, read or write.
    Environment = 4,
    /// A hash, digest or account does not add up.
    Integrity = 5,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::Parity,
        Self::Divergence,
        Self::Usage,
        Self::Evidence,
        Self::Environment,
        Self::Integrity,
        Self::Interrupted,
    ];

    /// What it is called in help and manual.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Parity => "parity or GO",
            Self::Divergence => "divergence or NO-GO",
            Self::Usage => "usage or configuration",
            Self::Evidence => "not enough evidence",
            Self::Environment => "environment",
            Self::Integrity => "integrity",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A place in a file that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: PathBuf,
    line: usize,
    text: String,
    column: usize,
    width: usize,
    label: String,
}

impl Place {
    /// The place of a byte range of `source`, which was read from `file`.
    pub fn new(file: &Path, source: &str, span: Range<usize>, label: impl Into<String>) -> Self {
        let start = span.start.min(source.len());
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..]
            .find('\n')
            .map_or(source.len(), |at| start + at);
        let end = span.end.clamp(start, line_end);
        Self {
            file: file.to_owned(),
            line: source[..start].matches('\n').count() + 1,
            text: source[line_start..line_end].to_owned(),
            column: source[line_start..start].chars().count(),
            width: source[start..end].chars().count().max(1),
            label: label.into(),
        }
    }

    /// The place as text: file and line, the line itself, and carets with what is to be said there.
    pub fn render(&self) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        format!(
            "  {file} line {number}\n   {number} | {text}\n   {margin} | {space}{carets} {label}\n",
            file = self.file.display(),
            text = self.text,
            space = " ".repeat(self.column),
            carets = "^".repeat(self.width),
            label = self.label,
        )
    }
}

/// An error that ends the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// Stable code, such as `CFG-002`.
    pub code: &'static str,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// Where, if it is in a file.
    pub place: Option<Box<Place>>,
    /// What to do about it.
    pub help: Option<String>,
    /// How the program ends.
    pub exit: Exit,
}

impl CliError {
    /// An error without a place.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            help: None,
            exit,
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// The error as text for stderr.
    pub fn render(&self) -> String {
        let mut out = format!("error[{}]: {}\n", self.code, self.message);
        if let Some(place) = &self.place {
            out.push_str(&place.render());
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "  help: {help}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_at_its_place() {
        let source = "[tap]\nlisten = \"nowhere\"\n";
        let error = CliError::new(Exit::Usage, "CFG-003", "`tap.listen` is not an address")
            .at(Place::new(
                Path::new("pilot.toml"),
                source,
                15..24,
                "expected host:port",
            ))
            .help("write for example \"127.0.0.1:9000\"");
        assert_eq!(
            error.render(),
            "error[CFG-003]: `tap.listen` is not an address\n  pilot.toml line 2\n   2 | listen = \"nowhere\"\n     |          \
             ^^^^^^^^^ expected host:port\n  help: write for example \"127.0.0.1:9000\"\n"
        );
    }
}
