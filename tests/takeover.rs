//! Two connections of one charger, as the shadow backend meets them.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod shadow_support;

use evenkeel::facts::{Fact, Kind};
use evenkeel::shadow::settings::Takeover;

use shadow_support::{Candidate, Conn, World, run};

/// Speaks for one of the charger's connections.
fn on(world: &World, conn: u64) {
    world.conn.set(conn);
}

async fn two(candidate: &Candidate, world: &World) -> (Conn, Conn) {
    world.open("ocpp1.6");
    let mut old = candidate.accept().await;
    world.boot(&mut old).await;
    world.open("ocpp1.6");
    let mut new = candidate.accept().await;
    world.boot(&mut new).await;
    (old, new)
}

const START: &str = r#"[2,"7","StartTransaction",{"connectorId":1,"idTag":"T","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}]"#;
const STOP: &str = r#"[2,"8","StopTransaction",{"transactionId":42,"meterStop":1,"timestamp":"2026-01-01T01:00:00Z"}]"#;

#[test]
fn two_connections_are_mirrored_one_to_one_and_paired_apart() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        let (mut old, mut new) = two(&candidate, &world).await;
        // The same message id is open on both connections: each answer belongs to its own.
        on(&world, 1);
        world.charger(START);
        let begun = old.expect("StartTransaction").await;
        on(&world, 2);
        world.charger(r#"[2,"7","Heartbeat",{}]"#);
        let beat = new.expect("Heartbeat").await;
        on(&world, 1);
        world.authority(r#"[3,"7",{"transactionId":42,"idTagInfo":{"status":"Accepted"}}]"#);
        on(&world, 2);
        world.authority(r#"[3,"7",{"currentTime":"2026-01-01T00:00:00Z"}]"#);
        new.answer(&beat, r#"{"currentTime":"2026-01-01T00:00:00Z"}"#)
            .await;
        old.answer(
            &begun,
            r#"{"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
        )
        .await;
        // What was learned on the half-open connection serves the one that took over.
        world
            .fact("the pair", |fact| fact.kind == Kind::IdentifierLearned)
            .await;
        world.charger(STOP);
        let stop = new.expect("StopTransaction").await;
        assert!(
            stop.payload.contains(r#""transactionId":7"#),
            "{}",
            stop.payload
        );
        // The old one ends alone.
        on(&world, 1);
        world.close();
        assert_eq!(old.text().await, None);
        new.answer(&stop, "{}").await;
        on(&world, 2);
        world.charger(r#"[2,"9","Heartbeat",{}]"#);
        new.expect("Heartbeat").await;
    });
}

#[test]
fn collapsed_the_backend_faces_only_the_newest_and_nothing_goes_unaccounted() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.takeover = Takeover::Collapse;
        });
        world.open("ocpp1.6");
        let mut old = candidate.accept().await;
        world.boot(&mut old).await;
        world.open("ocpp1.6");
        assert_eq!(
            old.text().await,
            None,
            "the first hears its end before the second begins"
        );
        let mut new = candidate.accept().await;
        // The half-open old connection goes on sending, even what a charger would keep.
        on(&world, 1);
        let (beat, begun) = (
            world.charger(r#"[2,"6","Heartbeat",{}]"#),
            world.charger(START),
        );
        for seq in [beat, begun] {
            let withheld = |fact: &Fact| fact.kind == Kind::ShadowWithheld && fact.cause == seq;
            let fact = world.fact("the account", withheld).await;
            assert_eq!(fact.note_json()["why"], "replaced by a newer connection");
        }
        let closed = world
            .fact("the end", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        assert_eq!(closed.note_json()["why"], "replaced by a newer connection");
        world.close();
        on(&world, 2);
        world.charger(r#"[2,"6","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]"#);
        loop {
            // The remembered boot may come first.
            let text = new.text().await.unwrap();
            if text.contains("StatusNotification") {
                break;
            }
            let id = text.split('"').nth(1).unwrap().to_owned();
            new.send(format!(r#"[3,"{id}",{{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}}]"#)).await;
        }
    });
}
