//! A recording, readers with short patience, and what they left in it.

use std::path::Path;
use std::time::Duration;

use evenkeel::backends::http::{Limits, parse};
use evenkeel::backends::ocpi::client::Peer;
use evenkeel::backends::ocpi::{Party, TokenEncoding};
use evenkeel::backends::{Access, Report, Settings, Shelf, Tally, run};
use evenkeel::facts::{Fact, Kind, Leg, Limits as RecorderLimits, Reader, Recorder};
use evenkeel::judge::records::{Reading, Record, RecordKind, Sweep};
use evenkeel::live::secret::Secret;
use tokio::task::LocalSet;

pub(crate) const TOKEN: &str = "hunter2-token";

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    LocalSet::new().block_on(&runtime(), future)
}

pub(crate) fn limits() -> Limits {
    Limits {
        pace: Duration::from_millis(1),
        patience: Duration::from_secs(20),
        max_body: 64 * 1024,
        tries: 3,
        backoff: Duration::from_millis(1),
        longest_backoff: Duration::from_millis(20),
    }
}

pub(crate) fn party(country: &str, id: &str) -> Party {
    Party {
        country: country.to_owned(),
        id: id.to_owned(),
    }
}

/// An eMSP's way to the peer at `base`.
pub(crate) fn ocpi(base: &str) -> Box<Peer> {
    Box::new(Peer {
        versions: Some(parse(&format!("{base}/ocpi/versions")).unwrap()),
        sessions: None,
        cdrs: None,
        wanted: vec![RecordKind::Session, RecordKind::Cdr],
        token: Secret::new(TOKEN),
        encoding: TokenEncoding::Base64,
        from: party("NL", "EVK"),
        to: Some(party("NL", "CPO")),
        ca: None,
        page: Some(2),
        overlap: Duration::from_mins(10),
        limits: limits(),
    })
}

pub(crate) fn settings(access: Access) -> Settings {
    Settings {
        name: "books".to_owned(),
        leg: Leg::Legacy,
        every: Duration::from_mins(1),
        access,
    }
}

/// Runs a reader once, as one process would, into the recording in `dir`.
pub(crate) async fn read(access: Access, dir: &Path) -> Report {
    read_counting(access, dir, &Tally::default()).await
}

/// The same, counted.
pub(crate) async fn read_counting(access: Access, dir: &Path, tally: &Tally) -> Report {
    let recorder = Recorder::open(dir, RecorderLimits::default()).unwrap();
    let facts = Reader::open(dir).unwrap();
    let mut shelf = Shelf::open(recorder.clone(), "books", Leg::Legacy, Some(&facts))
        .unwrap()
        .counting(tally.clone());
    let report = run(&settings(access), &mut shelf, Some(0)).await.unwrap();
    drop(shelf);
    recorder.close(Duration::from_secs(30)).unwrap();
    report
}

pub(crate) fn facts(dir: &Path, kind: Kind) -> Vec<Fact> {
    let reader = Reader::open(dir).unwrap();
    reader.of_kind(kind, 0, 10_000).unwrap()
}

pub(crate) fn records(dir: &Path) -> Vec<Record> {
    let mut reading = Reading::default();
    let facts = facts(dir, Kind::BackendRecord);
    facts
        .iter()
        .map(|fact| reading.read(fact).unwrap())
        .collect()
}

pub(crate) fn sweeps(dir: &Path) -> Vec<Sweep> {
    let facts = facts(dir, Kind::BackendRead);
    facts.iter().map(|fact| Sweep::of(fact).unwrap()).collect()
}

/// Ids of the recorded records, in order.
pub(crate) fn ids(dir: &Path) -> Vec<String> {
    records(dir)
        .into_iter()
        .map(|record| record.source.id)
        .collect()
}

/// Whether any file of the recording holds these bytes.
pub(crate) fn holds(dir: &Path, secret: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    })
}

/// Writes a file that nobody else may read.
pub(crate) fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
