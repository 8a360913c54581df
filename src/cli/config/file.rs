//! `evenkeel.toml` as text: its sections, and what can be wrong with them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::access::TlsSection;
use super::backends::BackendSection;
use super::estate::{EstateSection, Groups, Waves};
use super::readers::{BackendsSection, Mistake, Reader};
use super::units::{Size, Span, say_duration};
use super::{Config, Keepalive, Limits, Recorded, Sessions, Shadow};
use crate::cli::error::{CliError, Exit, Place};
use crate::facts::Leg;
use crate::shadow::overlay;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tap: TapSection,
    legacy: BackendSection,
    candidate: BackendSection,
    #[serde(default)]
    shadow: ShadowSection,
    #[serde(default)]
    recording: RecordingSection,
    #[serde(default)]
    limits: LimitsSection,
    #[serde(default)]
    keepalive: KeepaliveSection,
    #[serde(default)]
    health: HealthSection,
    #[serde(default)]
    rules: RulesSection,
    #[serde(default)]
    sessions: SessionsSection,
    #[serde(default)]
    backends: BackendsSection,
    #[serde(default)]
    estate: EstateSection,
    #[serde(default)]
    group: Groups,
    #[serde(default)]
    wave: Waves,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TapSection {
    /// One address or a list of them.
    listen: Spanned<toml::Value>,
    recording: Spanned<PathBuf>,
    base_path: Option<Spanned<String>>,
    authority: Option<Spanned<String>>,
    tls: Option<TlsSection>,
    allow: Option<Spanned<Vec<String>>>,
    allow_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ShadowSection {
    answer_timeout: Option<Span>,
    connect_timeout: Option<Span>,
    queue_messages: Option<usize>,
    queue_bytes: Option<Size>,
    total_bytes: Option<Size>,
    niceness: Option<Spanned<u8>>,
    probe_offer: Option<bool>,
    takeover: Option<Spanned<String>>,
    certificates: Option<bool>,
    retries: Option<bool>,
    hold: Option<Spanned<Span>>,
    reuse: Option<Spanned<Span>>,
    #[serde(default)]
    simulate: Vec<Spanned<String>>,
    models: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RecordingSection {
    pack_after: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    handover: Option<Size>,
    capture: Option<Size>,
    recorder: Option<Size>,
    connections: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct KeepaliveSection {
    idle: Option<Spanned<Span>>,
    interval: Option<Spanned<Span>>,
    count: Option<Spanned<u32>>,
    user_timeout: Option<Spanned<Span>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct HealthSection {
    listen: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RulesSection {
    #[serde(default)]
    files: Vec<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SessionsSection {
    places: Option<Spanned<PathBuf>>,
    session_slo: Option<Span>,
    cdr_slo: Option<Span>,
    quiet: Option<Span>,
}

/// Seconds that the kernel takes at most for silence before a probe and between probes.
const LONGEST_SILENCE: u64 = 32_767;

/// Probes that the kernel takes at most.
const MOST_PROBES: u32 = 127;

/// Seconds that bytes may stay unacknowledged at most: a day, well below what the kernel counts in milliseconds.
const LONGEST_PATIENCE: u64 = 86_400;

/// How long a command may be held: backends give up waiting from here on.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// How old an answer may be to be handed on: what a charger said an hour ago is no answer.
const LONGEST_REUSE: Duration = Duration::from_hours(1);

/// Reads and checks a configuration file. Relative paths in it are relative to the file.
pub fn load(path: &Path) -> Result<Config, CliError> {
    let source = std::fs::read_to_string(path).map_err(|error| {
        CliError::new(
            Exit::Usage,
            "CFG-001",
            format!("cannot read {}: {error}", path.display()),
        )
        .help("`evenkeel init` writes a commented configuration to start from")
    })?;
    parse(path, &source)
}

/// [`load`], from text already read.
pub fn parse(path: &Path, source: &str) -> Result<Config, CliError> {
    let file: File = toml::from_str(source).map_err(|error| syntax(path, source, &error))?;
    let check = Checker { path, source };
    let authority = check.authority(file.tap.authority)?;
    check.plain(match authority {
        Leg::Legacy => &file.legacy,
        Leg::Candidate => &file.candidate,
    })?;
    let (tls, client_auth) = check.tls(file.tap.tls)?;
    Ok(Config {
        listen: check.addresses(&file.tap.listen)?,
        recording: check.beside(file.tap.recording.into_inner()),
        base_path: check.base_path(file.tap.base_path)?,
        authority,
        tls,
        client_auth,
        allow: check.allowed(file.tap.allow, file.tap.allow_file.as_ref())?,
        legacy: check.backend(file.legacy)?,
        candidate: check.backend(file.candidate)?,
        shadow: check.shadow(&file.shadow)?,
        recorded: recorded(&file.recording),
        limits: limits(&file.limits),
        keepalive: check.keepalive(&file.keepalive)?,
        health: file
            .health
            .listen
            .map(|address| check.address(&address))
            .transpose()?,
        rules: file
            .rules
            .files
            .into_iter()
            .map(|file| check.beside(file))
            .collect(),
        sessions: check.sessions(&file.sessions)?,
        readers: check.readers(file.backends)?,
        estate: check.estate(file.estate, file.group, file.wave)?,
    })
}

fn syntax(path: &Path, source: &str, error: &toml::de::Error) -> CliError {
    let message = error.message().trim().to_owned();
    let cli = CliError::new(Exit::Usage, "CFG-002", message);
    let cli = match error.span() {
        // Without the line itself: it may hold a password that was written where only a reference may stand.
        Some(span) if is_on_secret(source, span.start) => CliError {
            message: format!(
                "a password, token or key must be {{ file = \"...\" }} or {{ env = \"...\" }}: {} line {}",
                path.display(),
                source[..span.start.min(source.len())].matches('\n').count() + 1
            ),
            ..cli
        },
        Some(span) => cli.at(Place::new(path, source, span, "here")),
        None => cli,
    };
    cli.help("every key and its default: `evenkeel init --print`")
}

/// Whether the line at a byte offset sets a secret.
fn is_on_secret(source: &str, at: usize) -> bool {
    let start = source[..at.min(source.len())]
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let line = source[start..].lines().next().unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    matches!(key, "password" | "token" | "key")
}

fn recorded(section: &RecordingSection) -> Recorded {
    let default = Recorded::default();
    Recorded {
        pack_after: section.pack_after.map_or(default.pack_after, |s| s.0),
    }
}

fn limits(section: &LimitsSection) -> Limits {
    let default = Limits::default();
    Limits {
        handover: section.handover.map_or(default.handover, |s| s.0),
        capture: section.capture.map_or(default.capture, |s| s.0),
        recorder: section.recorder.map_or(default.recorder, |s| s.0),
        connections: section.connections.unwrap_or(default.connections),
    }
}

/// Knows the file, so that every complaint can point into it.
pub(super) struct Checker<'a> {
    pub(super) path: &'a Path,
    pub(super) source: &'a str,
}

impl Checker<'_> {
    /// A complaint with its place, its reason there and what to do.
    pub(super) fn error<T>(
        &self,
        code: &'static str,
        at: &Spanned<T>,
        message: String,
        label: &str,
        help: &str,
    ) -> CliError {
        CliError::new(Exit::Usage, code, message)
            .at(Place::new(self.path, self.source, at.span(), label))
            .help(help)
    }

    fn addresses(&self, listen: &Spanned<toml::Value>) -> Result<Vec<SocketAddr>, CliError> {
        let texts: Option<Vec<&str>> = match listen.get_ref() {
            toml::Value::String(one) => Some(vec![one]),
            toml::Value::Array(list) => list.iter().map(toml::Value::as_str).collect(),
            _ => None,
        };
        let texts = texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| self.no_address(listen, "`tap.listen`"))?;
        texts
            .into_iter()
            .map(|text| {
                text.parse()
                    .map_err(|_| self.no_address(listen, &format!("{text:?}")))
            })
            .collect()
    }

    fn no_address<T>(&self, at: &Spanned<T>, what: &str) -> CliError {
        self.error(
            "CFG-003",
            at,
            format!("{what} is not a listening address"),
            "expected an IP address and a port",
            "write for example \"0.0.0.0:9000\" or \"[::1]:9000\"",
        )
    }

    fn address(&self, address: &Spanned<String>) -> Result<SocketAddr, CliError> {
        let text = address.get_ref();
        text.parse()
            .map_err(|_| self.no_address(address, &format!("{text:?}")))
    }

    fn shadow(&self, section: &ShadowSection) -> Result<Shadow, CliError> {
        let default = Shadow::default();
        if let Some(niceness) = section.niceness.as_ref().filter(|n| *n.get_ref() > 19) {
            return Err(self.error(
                "CFG-015",
                niceness,
                format!("niceness {} is out of range", niceness.get_ref()),
                "0 to 19",
                "0 lets the shadow plane compete with the live plane, 15 is the default",
            ));
        }
        Ok(Shadow {
            answer_timeout: section
                .answer_timeout
                .map_or(default.answer_timeout, |s| s.0),
            connect_timeout: section
                .connect_timeout
                .map_or(default.connect_timeout, |s| s.0),
            queue_messages: section.queue_messages.unwrap_or(default.queue_messages),
            queue_bytes: section.queue_bytes.map_or(default.queue_bytes, |s| s.0),
            total_bytes: section.total_bytes.map_or(default.total_bytes, |s| s.0),
            probe_offer: section.probe_offer.unwrap_or(default.probe_offer),
            collapse: self.collapses(section.takeover.as_ref())?,
            niceness: section
                .niceness
                .as_ref()
                .map_or(default.niceness, |n| *n.get_ref()),
            certificates: section.certificates.unwrap_or(default.certificates),
            retries: section.retries.unwrap_or(default.retries),
            hold: self.wait(section.hold.as_ref(), default.hold, LONGEST_HOLD)?,
            reuse: self.wait(section.reuse.as_ref(), default.reuse, LONGEST_REUSE)?,
            simulate: self.simulate(&section.simulate)?,
            models: section.models.clone().map(|models| self.beside(models)),
        })
    }

    fn collapses(&self, takeover: Option<&Spanned<String>>) -> Result<bool, CliError> {
        match takeover.map(|takeover| (takeover, takeover.get_ref().as_str())) {
            None => Ok(Shadow::default().collapse),
            Some((_, "mirror")) => Ok(false),
            Some((_, "collapse")) => Ok(true),
            Some((takeover, other)) => Err(self.error(
                "CFG-022",
                takeover,
                format!("{other:?} says nothing about a second connection"),
                "`mirror` or `collapse`",
                "leave it out: the shadow backend then faces every connection that the authority faces",
            )),
        }
    }

    fn wait(
        &self,
        span: Option<&Spanned<Span>>,
        default: Duration,
        below: Duration,
    ) -> Result<Duration, CliError> {
        match span {
            None => Ok(default),
            Some(span) if span.get_ref().0 < below => Ok(span.get_ref().0),
            Some(span) => Err(self.error(
                "CFG-030",
                span,
                format!("{} is too long here", say_duration(span.get_ref().0)),
                &format!("below {}", say_duration(below)),
                "leave it out for the default; 0s turns it off",
            )),
        }
    }

    fn simulate(&self, actions: &[Spanned<String>]) -> Result<Vec<String>, CliError> {
        let unknown =
            |action: &&Spanned<String>| !overlay::ACTIONS.contains(&action.get_ref().as_str());
        if let Some(action) = actions.iter().find(unknown) {
            return Err(self.error(
                "CFG-031",
                action,
                format!("{:?} cannot be simulated", action.get_ref()),
                "not an action that may be pretended",
                &format!("choose among {}", overlay::ACTIONS.join(", ")),
            ));
        }
        Ok(actions
            .iter()
            .map(|action| action.get_ref().clone())
            .collect())
    }

    fn base_path(&self, base: Option<Spanned<String>>) -> Result<String, CliError> {
        let Some(base) = base else {
            return Ok(String::new());
        };
        let trimmed = base.get_ref().trim_end_matches('/');
        if trimmed.is_empty() || trimmed.starts_with('/') {
            return Ok(trimmed.to_owned());
        }
        Err(self.error(
            "CFG-004",
            &base,
            format!("base path {:?} does not start with `/`", base.get_ref()),
            "a path",
            "write the part of the chargers' URL between host and identity, for example \"/ocpp\"",
        ))
    }

    fn authority(&self, authority: Option<Spanned<String>>) -> Result<Leg, CliError> {
        let Some(authority) = authority else {
            return Ok(Leg::Legacy);
        };
        Leg::from_word(authority.get_ref()).ok_or_else(|| {
            self.error(
                "CFG-005",
                &authority,
                format!("{:?} is no backend", authority.get_ref()),
                "`legacy` or `candidate`",
                "leave it out: the legacy is the authority until a group is moved",
            )
        })
    }

    /// A file that exists.
    pub(super) fn existing(&self, file: &Spanned<PathBuf>) -> Result<PathBuf, CliError> {
        let full = self.beside(file.get_ref().clone());
        if full.is_file() {
            return Ok(full);
        }
        Err(self.error(
            "CFG-006",
            file,
            format!("no file {}", full.display()),
            "not found",
            "paths are relative to the configuration file",
        ))
    }

    /// What the kernel would refuse is refused here: it would cost every charger its connection.
    fn keepalive(&self, section: &KeepaliveSection) -> Result<Keepalive, CliError> {
        let default = Keepalive::default();
        let span = |span: &Option<Spanned<Span>>, default: Duration, most: u64| match span {
            None => Ok(default),
            Some(span) if (1..=most).contains(&span.get_ref().0.as_secs()) => Ok(span.get_ref().0),
            Some(span) => Err(self.out_of_range(span, &format!("from 1s to {most}s"))),
        };
        let count = match &section.count {
            None => default.count,
            Some(count) if (1..=MOST_PROBES).contains(count.get_ref()) => *count.get_ref(),
            Some(count) => {
                return Err(self.out_of_range(count, &format!("from 1 to {MOST_PROBES}")));
            }
        };
        Ok(Keepalive {
            idle: span(&section.idle, default.idle, LONGEST_SILENCE)?,
            interval: span(&section.interval, default.interval, LONGEST_SILENCE)?,
            count,
            user_timeout: span(
                &section.user_timeout,
                default.user_timeout,
                LONGEST_PATIENCE,
            )?,
        })
    }

    fn out_of_range<T>(&self, at: &Spanned<T>, range: &str) -> CliError {
        self.error(
            "CFG-009",
            at,
            format!("the kernel takes values {range} here"),
            "out of range",
            "leave it out for the default",
        )
    }

    fn sessions(&self, section: &SessionsSection) -> Result<Sessions, CliError> {
        let default = Sessions::default();
        let span = |span: Option<Span>, default: Duration| span.map_or(default, |span| span.0);
        let places = section.places.as_ref().map(|file| self.existing(file));
        Ok(Sessions {
            places: places.transpose()?,
            session_slo: span(section.session_slo, default.session_slo),
            cdr_slo: span(section.cdr_slo, default.cdr_slo),
            quiet: span(section.quiet, default.quiet),
        })
    }

    fn readers(&self, section: BackendsSection) -> Result<Vec<Reader>, CliError> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new(""));
        section.resolve(folder).map_err(|Mistake { at, why }| {
            let help = "`evenkeel init --print` shows an example of each reader";
            self.error("BACK-002", &at, why, "this reader", help)
        })
    }

    /// A path of the file as the process sees it.
    pub(super) fn beside(&self, file: PathBuf) -> PathBuf {
        match self.path.parent() {
            Some(folder) if file.is_relative() => folder.join(file),
            _ => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(source: &str) -> String {
        parse(Path::new("pilot.toml"), source)
            .expect_err("must be refused")
            .render()
    }

    const GOOD: &str = "[tap]\nlisten = \"127.0.0.1:9000\"\nrecording = \"rec\"\n[legacy]\nurl = \"ws://a:1/x\"\n[candidate]\n\
                        url = \"wss://b\"\n";

    #[test]
    fn a_short_file_is_enough() {
        let config = parse(Path::new("/etc/ev/pilot.toml"), GOOD).unwrap();
        assert_eq!(config.recording, PathBuf::from("/etc/ev/rec"));
        assert_eq!(config.authority, Leg::Legacy);
        assert_eq!(config.shadow, Shadow::default());
    }

    #[test]
    fn every_complaint_has_a_place_and_a_fix() {
        for (source, code, line) in [
            (GOOD.replace("127.0.0.1:9000", "nowhere"), "CFG-003", 2),
            (GOOD.replace("ws://a:1/x", "http://a"), "CFG-007", 5),
            (GOOD.replace("ws://a:1/x", "ws://me:secret@a"), "CFG-008", 5),
            (
                GOOD.replace("ws://a:1/x", "http://me:secret@a"),
                "CFG-008",
                5,
            ),
            (format!("{GOOD}[keepalive]\nidle = \"10h\"\n"), "CFG-009", 9),
            (
                format!("{GOOD}[keepalive]\nidle = \"250ms\"\n"),
                "CFG-009",
                9,
            ),
            (format!("{GOOD}[keepalive]\ncount = 128\n"), "CFG-009", 9),
            (GOOD.replace("listen", "lisen"), "CFG-002", 2),
            (
                GOOD.replace(
                    "recording = \"rec\"",
                    "recording = \"rec\"\nbase_path = \"ocpp\"",
                ),
                "CFG-004",
                4,
            ),
            (
                format!("{GOOD}[shadow]\nanswer_timeout = \"30\"\n"),
                "CFG-002",
                9,
            ),
            (format!("{GOOD}ca = \"missing.pem\"\n"), "CFG-006", 8),
            (format!("{GOOD}[shadow]\nniceness = 20\n"), "CFG-015", 9),
            (format!("{GOOD}[shadow]\nhold = \"10s\"\n"), "CFG-030", 9),
            (format!("{GOOD}[shadow]\nreuse = \"2h\"\n"), "CFG-030", 9),
            (
                format!("{GOOD}[shadow]\nsimulate = [\n\"Reset\",\n\"RemoteStartTransaction\"]\n"),
                "CFG-031",
                11,
            ),
            (
                format!("{GOOD}[sessions]\nplaces = \"missing.csv\"\n"),
                "CFG-006",
                9,
            ),
            (
                format!("{GOOD}[sessions]\ncdr_slo = \"1 day\"\n"),
                "CFG-002",
                9,
            ),
            (format!("{GOOD}password = \"secret\"\n"), "CFG-002", 8),
            (
                format!("{GOOD}[[backends.legacy]]\nreader = \"ocpi-sink\"\ntoken = \"secret\"\n"),
                "CFG-002",
                10,
            ),
            (
                format!("{GOOD}[[backends.legacy]]\nreader = \"files\"\nhost = \"x\"\n"),
                "BACK-002",
                9,
            ),
            (
                format!("{GOOD}[estate]\nchargers = \"missing.csv\"\n"),
                "CFG-006",
                9,
            ),
            (format!("{GOOD}[group.all]\n"), "CFG-060", 8),
            (
                format!("{GOOD}[group.a]\nchargers = [\"X\"]\n[group.b]\nchargers = [\"X\"]\n"),
                "CFG-060",
                11,
            ),
            (
                format!("{GOOD}[group.a]\nrehearsed = \"soon\"\n"),
                "CFG-060",
                9,
            ),
            (
                format!("{GOOD}[wave.one]\ndate = \"2027-02-30\"\n"),
                "CFG-060",
                9,
            ),
            (
                format!(
                    "{GOOD}[wave.a]\ndate = \"2027-02-01\"\ngroups = [\"g\"]\n[wave.b]\ndate = \"2027-02-02\"\ngroups = [\"g\"]\n"
                ),
                "CFG-060",
                13,
            ),
        ] {
            let text = errors(&source);
            assert!(text.contains(code), "{text}");
            assert!(
                text.contains(&format!("pilot.toml line {line}\n")),
                "{text}"
            );
            assert!(text.contains("help: "), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
