//! One message id in everybody's hands at once: each of the three numbers its messages by itself.

use std::cell::RefCell;

use evenkeel::facts::{Fact, Kind};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Command, Exchange, Outcome, Row};
use evenkeel::ocpp::Version;
use serde_json::json;

use crate::ACCEPTED;
use crate::every_command::{boot, connected};
use crate::shadow_support::{Candidate, Conn, run, start, started, stop};
use crate::tap::{Recording, Setup, Tap};

/// The id of every message in this test, whoever sends it.
const ID: &str = "1";

/// What one version says.
struct Words {
    begin: String,
    end: String,
    /// What the candidate is to hear of the end.
    end_there: String,
    /// The answers to the beginning: legacy's and the candidate's.
    begun: [String; 2],
    ended: &'static str,
    /// What the stand-in tells of a charger that holds no list.
    version_of_list: &'static str,
}

fn words(version: Version) -> Words {
    if version == Version::V16 {
        return Words {
            begin: start(ID, 1),
            end: stop(ID, "4711"),
            end_there: stop(ID, "7"),
            begun: [started("4711", "Accepted"), started("7", "Accepted")],
            ended: r#"{"idTagInfo":{"status":"Accepted"}}"#,
            version_of_list: r#"{"listVersion":0}"#,
        };
    }
    let event = |kind: &str, number: u32| {
        format!(
            r#"[2,"{ID}","TransactionEvent",{{"eventType":"{kind}","timestamp":"2026-01-01T00:0{number}:00Z","triggerReason":"Authorized","seqNo":{number},"transactionInfo":{{"transactionId":"T"}}}}]"#
        )
    };
    let begun = r#"{"idTokenInfo":{"status":"Accepted"}}"#.to_owned();
    Words {
        begin: event("Started", 0),
        end: event("Ended", 1),
        end_there: event("Ended", 1),
        begun: [begun.clone(), begun],
        ended: r#"{"totalCost":1.5}"#,
        version_of_list: r#"{"versionNumber":0}"#,
    }
}

fn answer(payload: &str) -> String {
    format!(r#"[3,"{ID}",{payload}]"#)
}

fn command(action: &str) -> String {
    format!(r#"[2,"{ID}","{action}",{{}}]"#)
}

async fn hears(conn: &mut Conn, text: &str) {
    assert_eq!(conn.text().await.as_deref(), Some(text));
}

/// A session in which all three have a CALL with the same id outstanding, the whole time.
async fn session(tap: &str, version: Version, backends: &[Candidate; 2]) {
    let [legacy, candidate] = backends;
    let words = words(version);
    let (mut charger, mut legacy) = connected(tap, version, legacy).await;
    let call = json!([2, ID, "BootNotification", boot()]).to_string();
    charger.send(&call).await;
    let booted = r#"{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}"#;
    let mut candidate = candidate.accept().await;
    for backend in [&mut legacy, &mut candidate] {
        hears(backend, &call).await;
        backend.send(answer(booted)).await;
    }
    hears(&mut charger, &answer(booted)).await;

    charger.send(&words.begin).await;
    hears(&mut legacy, &words.begin).await;
    hears(&mut candidate, &words.begin).await;
    legacy.send(command("ClearCache")).await;
    hears(&mut charger, &command("ClearCache")).await;
    candidate.send(command("ClearCache")).await;
    // The charger's answer is legacy's, and by way of the stand-in the candidate's.
    charger.send(answer(ACCEPTED)).await;
    hears(&mut legacy, &answer(ACCEPTED)).await;
    hears(&mut candidate, &answer(ACCEPTED)).await;
    // The candidate answers the charger first, and is not heard there.
    candidate.send(answer(&words.begun[1])).await;
    legacy.send(answer(&words.begun[0])).await;
    hears(&mut charger, &answer(&words.begun[0])).await;

    charger.send(&words.end).await;
    hears(&mut candidate, &words.end_there).await;
    candidate.send(command("GetLocalListVersion")).await;
    hears(&mut candidate, &answer(words.version_of_list)).await;
    hears(&mut legacy, &words.end).await;
    legacy.send(answer(words.ended)).await;
    hears(&mut charger, &answer(words.ended)).await;
    candidate.send(answer(words.ended)).await;

    charger.ws.close(None).await.unwrap();
    // Legacy hears of the end first, and its own is what the charger waits for.
    for (mut conn, who) in [
        (legacy, "legacy"),
        (charger, "charger"),
        (candidate, "candidate"),
    ] {
        assert_eq!(conn.text().await, None, "{who}");
    }
}

/// What the judge makes of it, with the texts that it paired.
fn judged(recording: &Recording) -> (Vec<(Exchange, [String; 3])>, Vec<Command>) {
    let facts = recording.facts();
    let text = |seq: u64| {
        let fact = facts.iter().find(|fact| fact.seq == seq);
        fact.and_then(Fact::text).unwrap_or_default().to_owned()
    };
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let (mut exchanges, mut commands) = (Vec::new(), Vec::new());
    for fact in &facts {
        judge.feed(fact, &mut |row| match row {
            Row::Exchange(row) => {
                let said = [row.id, row.answer, row.shadow].map(text);
                exchanges.push((row, said));
            }
            Row::Command(row) => commands.push(row),
            _ => {}
        });
    }
    (exchanges, commands)
}

#[test]
fn item_9_one_message_id_in_use_by_all_three_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let recording = RefCell::new(None);
    run(async {
        let backends = [Candidate::listen().await, Candidate::listen().await];
        let [legacy, candidate] = &backends;
        let tap = Tap::start(&Setup::new(dir.path(), &legacy.url(), &candidate.url()));
        tap.records();
        for version in Version::ALL {
            session(&tap.url, version, &backends).await;
        }
        assert_eq!(tap.metric("evenkeel_containment_breaches_total"), 0);
        recording.replace(Some(tap.stop().0));
    });
    let recording = recording.into_inner().unwrap();
    assert_eq!(recording.verify()["containment"]["ok"], true);
    let (exchanges, commands) = judged(&recording);
    assert_eq!(exchanges.len(), 3 * Version::ALL.len());
    for (row, [_, ours, theirs]) in &exchanges {
        assert!(
            matches!(row.outcome, Outcome::Equal | Outcome::Explained),
            "{row:?}"
        );
        let version = Version::from_number(&row.version).unwrap();
        let words = words(version);
        let expected = match row.action.as_str() {
            "BootNotification" => [ours.clone(), ours.clone()],
            "StartTransaction" => words.begun.map(|payload| answer(&payload)),
            "StopTransaction" => [answer(words.ended), answer(words.ended)],
            _ if ours.contains("totalCost") => [answer(words.ended), answer(words.ended)],
            _ => words.begun.map(|payload| answer(&payload)),
        };
        assert_eq!([ours, theirs], [&expected[0], &expected[1]], "{row:?}");
    }
    for version in Version::ALL {
        let of = |action: &str| {
            let mine = commands
                .iter()
                .filter(|row| row.version == version.number());
            let found: Vec<_> = mine.filter(|row| row.action == action).collect();
            assert_eq!(found.len(), 1, "{version} {action}: {found:?}");
            found[0].clone()
        };
        let (both, alone) = (of("ClearCache"), of("GetLocalListVersion"));
        assert_eq!(both.outcome, Outcome::Equal, "{both:?}");
        assert!(both.ours != 0 && both.theirs != 0);
        assert_eq!((alone.ours, alone.theirs != 0), (0, true), "{alone:?}");
    }
    let sources = recording.of_kind(Kind::ShadowAnswered);
    let reused = sources
        .iter()
        .filter(|fact| fact.note_json()["source"] == "reuse");
    assert_eq!(reused.count(), Version::ALL.len());
}
