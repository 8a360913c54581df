//! `check --show`: every value, and where it came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::units::{say_duration, say_size};
use super::{Backend, Config, Estate, SecretRef, Sessions, Shadow};
use crate::facts::Leg;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file, at this line.
    Line(usize),
    /// Nobody set it.
    Default,
}

/// Every setting as `(key, value, origin)`, in the order of the file format.
pub fn settings(config: &Config, source: &str) -> Vec<(String, String, Origin)> {
    let lines = lines_of_keys(source);
    values(config)
        .into_iter()
        .map(|(key, value)| {
            let origin = lines
                .get(key.as_str())
                .map_or(Origin::Default, |line| Origin::Line(*line));
            (key, value, origin)
        })
        .collect()
}

fn values(config: &Config) -> Vec<(String, String)> {
    let mut all = vec![
        ("tap.listen".to_owned(), list(&config.listen)),
        (
            "tap.recording".to_owned(),
            config.recording.display().to_string(),
        ),
        ("tap.base_path".to_owned(), config.base_path.clone()),
        (
            "tap.authority".to_owned(),
            config.authority.word().to_owned(),
        ),
        (
            "tap.tls".to_owned(),
            config
                .tls
                .as_ref()
                .map_or("off".to_owned(), |tls| tls.cert.display().to_string()),
        ),
    ];
    all.extend([
        (
            "tap.client_ca".to_owned(),
            match &config.client_auth {
                None => "off".to_owned(),
                Some(client) if client.required => client.ca.display().to_string(),
                Some(client) => format!("{}, not required", client.ca.display()),
            },
        ),
        (
            "tap.allow".to_owned(),
            config
                .allow
                .as_ref()
                .map_or("everybody".to_owned(), |allow| {
                    format!("{} chargers", allow.len())
                }),
        ),
    ]);
    for (name, backend) in [("legacy", &config.legacy), ("candidate", &config.candidate)] {
        all.extend(backend_values(name, backend));
    }
    all.extend(shadow_values(&config.shadow));
    let (limits, keepalive) = (&config.limits, &config.keepalive);
    let rest = [
        (
            "recording.pack_after",
            say_duration(config.recorded.pack_after),
        ),
        ("limits.handover", say_size(limits.handover)),
        ("limits.capture", say_size(limits.capture)),
        ("limits.recorder", say_size(limits.recorder)),
        ("limits.connections", limits.connections.to_string()),
        ("keepalive.idle", say_duration(keepalive.idle)),
        ("keepalive.interval", say_duration(keepalive.interval)),
        ("keepalive.count", keepalive.count.to_string()),
        (
            "keepalive.user_timeout",
            say_duration(keepalive.user_timeout),
        ),
        (
            "health.listen",
            config
                .health
                .map_or("off".to_owned(), |address| address.to_string()),
        ),
        (
            "rules.files",
            config
                .rules
                .iter()
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        ),
    ];
    all.extend(rest.map(|(key, value)| (key.to_owned(), value)));
    all.extend(session_values(&config.sessions));
    for leg in [Leg::Legacy, Leg::Candidate] {
        let own = config.readers.iter().filter(|reader| reader.leg == leg);
        let said: Vec<String> = own.map(ToString::to_string).collect();
        let key = format!("backends.{}", leg.word());
        all.push((key, said.join(", ")));
    }
    all.extend(estate_values(&config.estate));
    all
}

fn estate_values(estate: &Estate) -> Vec<(String, String)> {
    let file = |file: &Option<PathBuf>| {
        let file = file.as_ref();
        file.map_or_else(|| "none".to_owned(), |file| file.display().to_string())
    };
    let mut all = vec![
        ("estate.chargers".to_owned(), file(&estate.chargers)),
        ("estate.gate".to_owned(), file(&estate.gate)),
    ];
    all.extend(estate.groups.iter().map(|named| {
        let (named, group) = (named.chargers.len(), &named.group);
        let value = format!("{named} named, {}", group.patterns.join(", "));
        (format!("group.{}", group.name), value)
    }));
    all.extend(
        estate
            .waves
            .iter()
            .map(|wave| (format!("wave.{}", wave.name), wave.date.clone())),
    );
    all
}

fn session_values(sessions: &Sessions) -> [(String, String); 4] {
    let places = sessions.places.as_ref();
    [
        (
            "sessions.places",
            places.map_or_else(|| "off".to_owned(), |file| file.display().to_string()),
        ),
        ("sessions.session_slo", say_duration(sessions.session_slo)),
        ("sessions.cdr_slo", say_duration(sessions.cdr_slo)),
        ("sessions.quiet", say_duration(sessions.quiet)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
}

fn shadow_values(shadow: &Shadow) -> Vec<(String, String)> {
    [
        ("shadow.answer_timeout", say_duration(shadow.answer_timeout)),
        (
            "shadow.connect_timeout",
            say_duration(shadow.connect_timeout),
        ),
        ("shadow.queue_messages", shadow.queue_messages.to_string()),
        ("shadow.queue_bytes", say_size(shadow.queue_bytes)),
        ("shadow.total_bytes", say_size(shadow.total_bytes)),
        ("shadow.probe_offer", shadow.probe_offer.to_string()),
        (
            "shadow.takeover",
            if shadow.collapse {
                "collapse"
            } else {
                "mirror"
            }
            .to_owned(),
        ),
        ("shadow.niceness", shadow.niceness.to_string()),
        ("shadow.certificates", shadow.certificates.to_string()),
        ("shadow.retries", shadow.retries.to_string()),
        ("shadow.hold", say_duration(shadow.hold)),
        ("shadow.reuse", say_duration(shadow.reuse)),
        (
            "shadow.simulate",
            if shadow.simulate.is_empty() {
                "nothing".to_owned()
            } else {
                format!("PRETENDED: {}", shadow.simulate.join(", "))
            },
        ),
        (
            "shadow.models",
            shadow
                .models
                .as_ref()
                .map_or("none".to_owned(), |models| models.display().to_string()),
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn backend_values(name: &str, backend: &Backend) -> [(String, String); 9] {
    let password = match &backend.password {
        None => "none".to_owned(),
        Some(SecretRef::File(file)) => format!("file {}", file.display()),
        Some(SecretRef::HexFile(file)) => format!("hex in file {}", file.display()),
        Some(SecretRef::Env(variable)) => format!("variable {variable}"),
    };
    [
        (format!("{name}.url"), backend.url.clone()),
        (
            format!("{name}.build"),
            backend
                .build
                .clone()
                .unwrap_or_else(|| "unknown".to_owned()),
        ),
        (
            format!("{name}.ca"),
            backend
                .ca
                .as_ref()
                .map_or("system".to_owned(), |ca| ca.display().to_string()),
        ),
        (format!("{name}.user"), backend.user.clone()),
        (format!("{name}.password"), password),
        (
            format!("{name}.credentials"),
            backend
                .credentials
                .as_ref()
                .map_or("none".to_owned(), |file| file.display().to_string()),
        ),
        (
            format!("{name}.pass_credentials"),
            backend.pass_credentials.to_string(),
        ),
        (
            format!("{name}.cert"),
            backend
                .client
                .as_ref()
                .map_or("none".to_owned(), |files| files.cert.display().to_string()),
        ),
        (
            format!("{name}.allow_local"),
            backend.allow_local.to_string(),
        ),
    ]
}

fn list(items: &[impl ToString]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The line of every `section.key` in a file that is known to parse.
fn lines_of_keys(source: &str) -> BTreeMap<String, usize> {
    let Ok(document) = toml::de::DeTable::parse(source) else {
        return BTreeMap::new();
    };
    let mut lines = BTreeMap::new();
    for (section, value) in document.get_ref() {
        let Some(table) = value.get_ref().as_table() else {
            continue;
        };
        for key in table.keys() {
            let line = source[..key.span().start].matches('\n').count() + 1;
            lines.insert(format!("{}.{}", section.get_ref(), key.get_ref()), line);
        }
    }
    lines
}
