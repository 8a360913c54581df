//! The whole program: the verb that reads once, and readers beside a running tap.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use evenkeel::facts::{Kind, Leg};
use serde_json::{Value, json};

use crate::peer::{Server, lobby, page, session};
use crate::rig::{TOKEN, block_on, holds, ids, private, records, sweeps};
use crate::tap::{Setup, Tap, evenkeel, eventually, request};

const MAP: &str = "kind = \"cdr\"\nenergy = \"Wh\"\n[columns]\nid = \"id\"\nenergy = \"wh\"\n";

fn config(dir: &Path, sections: &str) -> String {
    let file = dir.join("evenkeel.toml");
    let head = "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"unused\"\n[legacy]\nurl = \"ws://127.0.0.1:1\"\n\
                [candidate]\nurl = \"ws://127.0.0.1:1\"\n";
    fs::write(&file, format!("{head}{sections}")).unwrap();
    file.to_str().unwrap().to_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_verb_reads_once_and_tells_each_pass() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("map.toml"), MAP).unwrap();
    fs::write(dir.path().join("books.csv"), "id,wh\nA,1000\nB,2000\n").unwrap();
    let section =
        "[[backends.candidate]]\nreader = \"files\"\nfiles = [\"books.csv\"]\nmap = \"map.toml\"\n";
    let config = config(dir.path(), section);
    let recording = dir.path().join("recording");
    let read = || {
        let recording = recording.to_str().unwrap();
        evenkeel(["read-backends", recording, "--config", &config])
    };
    let first = read();
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let pass = json!({"leg": "candidate", "sweep": {"reader": "files-1", "kind": "cdr", "seen": 2, "recorded": 2}});
    assert_eq!(lines(&first), [pass]);
    assert_eq!(lines(&read())[0]["sweep"]["recorded"], 0);
    fs::write(dir.path().join("books.csv"), "id,wh\nA,1000\nC,much\n").unwrap();
    let broken = read();
    assert_eq!(broken.status.code(), Some(4));
    let talk = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(talk.contains("line 3 column \"wh\": \"much\""), "{talk}");
    assert_eq!(ids(&recording), ["A", "B"]);
    assert_eq!(records(&recording)[0].leg, Leg::Candidate);
}

#[test]
fn secrets_come_from_files_and_variables_only() {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("recording");
    let output = block_on(async {
        let server = Server::start(|asked, base| {
            let answer = lobby(asked, base, "2.2.1");
            answer.unwrap_or_else(|| page(&[session("S1", 1)], asked, base))
        })
        .await;
        let section = format!(
            "[[backends.legacy]]\nreader = \"ocpi\"\nname = \"old\"\nurl = \"{}/ocpi/versions\"\nparty = \"NL-EVK\"\n\
             pace = \"1ms\"\ntoken = {{ env = \"BOOKS_TOKEN\" }}\n",
            server.base
        );
        let config = config(dir.path(), &section);
        tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args([
                "read-backends",
                recording.to_str().unwrap(),
                "--config",
                &config,
            ])
            .env("BOOKS_TOKEN", TOKEN)
            .output()
            .await
            .unwrap()
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(ids(&recording), ["S1", "S1"]);
    assert!(!holds(&recording, TOKEN));
    let without = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["read-backends", recording.to_str().unwrap(), "--config"])
        .arg(dir.path().join("evenkeel.toml"))
        .env_remove("BOOKS_TOKEN")
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(
        talk.contains("BACK-004") && talk.contains("BOOKS_TOKEN"),
        "{talk}"
    );
}

#[test]
fn a_reader_with_a_mistake_is_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let sink = "[[backends.legacy]]\nreader = \"ocpi-sink\"\nlisten = \"127.0.0.1:0\"\nparty = \"NL-EVK\"\n";
    for (section, wanted) in [
        (sink.to_owned(), "needs `token`"),
        (
            sink.replace("ocpi-sink", "ocpi-pump"),
            "no reader \"ocpi-pump\"",
        ),
        (format!("{sink}host = \"x\"\n"), "takes no `host`"),
        (format!("{sink}token = \"{TOKEN}\"\n"), "CFG-002"),
        (sink.replace("NL-EVK", "Netherlands"), "is no party"),
    ] {
        let section = if section.contains("takes") || wanted == "is no party" {
            format!("{section}token = {{ env = \"X\" }}\n")
        } else {
            section
        };
        let output = evenkeel(["check", &config(dir.path(), &section)]);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(talk.contains(wanted) && !talk.contains(TOKEN), "{talk}");
    }
    let section = format!("{sink}token = {{ env = \"X\" }}\n");
    let shown = evenkeel(["check", "--show", &config(dir.path(), &section)]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        text.contains("ocpi-sink-1 http://127.0.0.1:0/ocpi"),
        "{text}"
    );
}

#[test]
fn readers_beside_a_tap_record_through_its_recorder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("map.toml"), MAP).unwrap();
    fs::write(dir.path().join("books.csv"), "id,wh\nA,1000\n").unwrap();
    private(&dir.path().join("token"), &format!("{TOKEN}\n"));
    let map = "backend,place,charger,connector,time_zone\nboth,E1,CP1,1,Europe/Berlin\n";
    fs::write(dir.path().join("places.csv"), map).unwrap();
    let mut setup = Setup::new(dir.path(), "ws://127.0.0.1:1", "ws://127.0.0.1:1");
    setup.sections = "[[backends.legacy]]\nreader = \"files\"\nfiles = [\"books.csv\"]\nmap = \"map.toml\"\n\
        [[backends.candidate]]\nreader = \"ocpi-sink\"\nlisten = \"127.0.0.1:0\"\nparty = \"NL-EVK\"\n\
        token_encoding = \"plain\"\ntoken = { file = \"token\" }\n\
        [[backends.candidate]]\nreader = \"ocpi\"\nname = \"locked\"\nurl = \"http://127.0.0.1:1\"\nparty = \"NL-EVK\"\n\
        token = { env = \"EVENKEEL_NOBODY_SET_THIS\" }\n[sessions]\nplaces = \"places.csv\"\ncdr_slo = \"2h\"\n"
        .to_owned();
    let tap = Tap::start(&setup);
    tap.says("OCPI sink on http://");
    let log = tap.log();
    let address = log
        .iter()
        .find_map(|line| line.split_once("OCPI sink on http://")?.1.split('/').next())
        .unwrap();
    let body = r#"{"id":"C1","total_energy":1.5}"#;
    let head = format!(
        "POST /ocpi/2.2.1/cdrs HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, _) = request(address, &head);
    assert_eq!(status, 201);
    let recording = tap.recording().0;
    eventually("the file is read", || sweeps(&recording).len() == 1);
    // A second push, without the token, is a failure.
    let (status, _) = request(address, &head.replace(TOKEN, "guess"));
    assert_eq!(status, 401);
    for (reader, leg, counts) in [
        (
            "files-1",
            "legacy",
            [("records", 1), ("pages", 0), ("passes", 1), ("broken", 0)],
        ),
        (
            "ocpi-sink-1",
            "candidate",
            [
                ("records", 1),
                ("requests", 2),
                ("failures", 1),
                ("passes", 0),
            ],
        ),
    ] {
        for (what, count) in counts {
            let name = format!("evenkeel_reader_{what}_total{{leg=\"{leg}\",reader=\"{reader}\"}}");
            eventually(&format!("{name} is {count}"), || {
                tap.metrics().contains(&format!("{name} {count}\n"))
            });
        }
        let age =
            format!("evenkeel_reader_success_age_seconds{{leg=\"{leg}\",reader=\"{reader}\"}} ");
        assert!(tap.metrics().contains(&age), "{age}");
    }
    let (_, health) = tap.health();
    assert_eq!(health["shadow"]["readers"][1]["records"], 1, "{health}");
    assert!(health["shadow"]["readers"][1]["success_age_us"].as_u64() < Some(30_000_000));
    let (recording, log) = tap.stop();
    recording.verify();
    let mut found: Vec<(Leg, String)> = records(&recording.0)
        .into_iter()
        .map(|record| (record.leg, record.source.id))
        .collect();
    found.sort();
    let expected = [
        (Leg::Legacy, "A".to_owned()),
        (Leg::Candidate, "C1".to_owned()),
    ];
    assert_eq!(found, expected);
    assert_eq!(recording.of_kind(Kind::BackendRead).len(), 1);
    // One reader without its secret is left out, and said; the others read.
    let left_out = |line: &String| line.contains("BACK-004") && line.contains("locked");
    assert!(log.iter().any(left_out), "{log:#?}");
    // What is said about sessions is in the recording, which is judged again by it.
    let rules = recording.of_kind(Kind::RulesLoaded);
    let said: Value = serde_json::from_slice(&rules.last().unwrap().body).unwrap();
    assert_eq!(said["cdr_slo_us"].as_i64(), Some(7_200_000_000));
    assert_eq!(said["places"][0]["charger"], "CP1");
    let closed = log.iter().any(|line| line.contains("OCPI sink closed"));
    assert!(closed, "{log:#?}");
    assert!(!holds(&recording.0, TOKEN));
    assert!(log.iter().all(|line| !line.contains(TOKEN)));
}
