//! Facts by hand: what a tap would record, with a clock that moves as the story says.

#![allow(dead_code, reason = "each test file tells its own part of the stories")]

use std::sync::Arc;

use evenkeel::facts::authority::{Carried, Change, Step};
use evenkeel::facts::{Dir, Fact, Kind, Leg};
use serde_json::{Value, json};

const BEGIN: i64 = 1_795_000_000_000_000;

/// What the shadow does with a mirrored CALL.
#[derive(Clone, Copy)]
pub(crate) enum Shadow<'a> {
    Answers(&'a str),
    Refuses(&'a str),
    Silent,
    Withheld(&'a str),
}

/// The facts of one charger's connection.
pub(crate) struct Story {
    pub(crate) facts: Vec<Fact>,
    charger: Arc<str>,
    conn: u64,
    authority: Leg,
    now: i64,
    ids: Vec<(u64, String)>,
}

impl Story {
    /// A charger that both backends accepted, under legacy.
    pub(crate) fn open(charger: &str) -> Self {
        Self::under(charger, Leg::Legacy)
    }

    /// The same under another authority.
    pub(crate) fn under(charger: &str, authority: Leg) -> Self {
        let mut story = Self::connect(charger, authority);
        story.shadow_opened();
        story
    }

    /// A charger that its authority accepted; the shadow's handshake is under way.
    pub(crate) fn connect(charger: &str, authority: Leg) -> Self {
        let mut story = Self {
            facts: Vec::new(),
            charger: Arc::from(charger),
            conn: 1,
            authority,
            now: BEGIN,
            ids: Vec::new(),
        };
        story.push(Fact::new(Kind::TapStarted, 0));
        story.push_here(Kind::ConnOpened, |fact| {
            fact.note(&opened(charger, authority, "ocpp1.6"))
        });
        story
    }

    /// The tap begins again with the other backend as authority, and the charger comes back.
    pub(crate) fn switched(mut self) -> Self {
        self.close();
        self.shadow_closed();
        self.stopped();
        self.authority = self.authority.other();
        self.push(Fact::new(Kind::TapStarted, 0));
        self.connect_again();
        self
    }

    /// The charger is on a new connection.
    pub(crate) fn connect_again(&mut self) {
        self.conn += 1;
        let note = opened(&self.charger, self.authority, "ocpp1.6");
        self.push_here(Kind::ConnOpened, |fact| fact.note(&note));
        self.shadow_opened();
    }

    /// A step of a switch of the charger; `open` is what has two names: the charger's, the old authority's and the new one's.
    pub(crate) fn step(&mut self, step: Step, to: Leg, open: &[[&str; 3]]) {
        let names = open.iter().map(|[wire, from, to]| Carried {
            from: (*from).to_owned(),
            ..Carried::transaction(wire, from, to)
        });
        let change = Change {
            open: names.collect(),
            ..Change::new(1, step, to)
        };
        let charger = Arc::clone(&self.charger);
        self.push(change.fact(&charger, 0));
    }

    /// The running tap moves the charger to the other backend while it has these transactions open: [`Story::step`].
    pub(crate) fn moved(&mut self, open: &[[&str; 3]]) {
        let to = self.authority.other();
        self.step(Step::Acting, to, open);
        self.close();
        self.shadow_ended(&json!({"why":"charger connection closed"}));
        self.step(Step::Admitted, to, open);
        self.authority = to;
        self.conn += 1;
        let mut note = opened(&self.charger, to, "ocpp1.6");
        note["mediated"] = json!(!open.is_empty());
        self.push_here(Kind::ConnOpened, |fact| fact.note(&note));
        self.step(Step::Done, to, &[]);
        self.shadow_opened();
    }

    /// The mediator puts other names into a message of the charger's, or to it; or keeps it back.
    pub(crate) fn mediated(&mut self, dir: Dir, id: &str, action: &str) {
        let charger = Arc::clone(&self.charger);
        let rewrites =
            json!([{"class":"transactionId","path":"/transactionId","from":"1","to":"2"}]);
        let note = json!({"id":id,"action":action,"rewrites":rewrites});
        let fact = Fact::new(Kind::Mediated, 0).on(&charger, 0);
        self.push(fact.via(self.authority, dir).note(&note));
    }

    /// The shadow is told of a boot that the charger did not make on this connection.
    pub(crate) fn introduced(&mut self) {
        let boot = json!({"id":"s","action":"BootNotification","queued_us":0,"synthetic":"boot"});
        let sent = self.sent_saying(0, &boot);
        self.shadow_answer(sent, r#"[3,"s",{"status":"Accepted"}]"#);
    }

    /// The live plane was killed: nobody said goodbye.
    pub(crate) fn killed(&mut self) {
        self.push(Fact::new(Kind::TapStarted, 0));
    }

    /// The same story; the tap was told the candidate's build.
    pub(crate) fn facing(mut self, build: &str) -> Self {
        self.facts[0].note = json!({ "build": build }).to_string();
        self
    }

    /// The tap stops and begins again, against this build of the candidate.
    pub(crate) fn restarted(mut self, build: &str) -> Self {
        self.stopped();
        self.push(Fact::new(Kind::TapStarted, 0).note(&json!({ "build": build })));
        self.connect_again();
        self
    }

    /// Somebody writes a note.
    pub(crate) fn said(&mut self, note: &Value) {
        self.push(Fact::new(Kind::Triage, 0).body(note.to_string()));
    }

    /// The tap was told about the estate.
    pub(crate) fn loaded(&mut self, estate: &Value) {
        self.push(Fact::new(Kind::EstateLoaded, 0).body(estate.to_string()));
    }

    /// The tap was told the gate's criteria.
    pub(crate) fn gate(&mut self, text: &str) {
        let note = json!({ "file": "gate.toml", "hash": "sha256:0" });
        self.push(Fact::new(Kind::GateLoaded, 0).body(text).note(&note));
    }

    /// Somebody decided about a group.
    pub(crate) fn decide(&mut self, decided: &Value) {
        self.push(Fact::new(Kind::Decision, 0).body(decided.to_string()));
    }

    /// The same story with another subprotocol.
    pub(crate) fn speaking(mut self, subprotocol: &str) -> Self {
        for fact in &mut self.facts {
            fact.note = fact.note.replace("ocpp1.6", subprotocol);
        }
        self
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds * 1_000_000;
    }

    /// The time of the story, µs.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    pub(crate) fn rfc3339(&self) -> String {
        evenkeel::ledger::views::rfc3339(self.now)
    }

    fn push(&mut self, mut fact: Fact) -> u64 {
        fact.seq = self.facts.len() as u64 + 1;
        fact.at = self.now;
        let seq = fact.seq;
        self.facts.push(fact);
        seq
    }

    fn push_here(&mut self, kind: Kind, with: impl FnOnce(Fact) -> Fact) -> u64 {
        let fact = Fact::new(kind, self.now).on(&self.charger, self.conn);
        self.push(with(fact))
    }

    fn message(&mut self, dir: Dir, text: &str) -> u64 {
        let leg = self.authority;
        self.push_here(Kind::Message, |fact| fact.via(leg, dir).body(text))
    }

    pub(crate) fn heard(&mut self, text: &str) -> u64 {
        self.message(Dir::ToCharger, text)
    }

    pub(crate) fn call_with_id(&mut self, id: &str, action: &str, payload: &str) -> u64 {
        let seq = self.message(
            Dir::FromCharger,
            &format!(r#"[2,"{id}","{action}",{payload}]"#),
        );
        self.ids.push((seq, id.to_owned()));
        seq
    }

    pub(crate) fn call(&mut self, action: &str, payload: &str) -> u64 {
        let id = format!("m{}", self.facts.len());
        self.call_with_id(&id, action, payload)
    }

    fn id_of(&self, call: u64) -> String {
        let found = self.ids.iter().find(|(seq, _)| *seq == call);
        found.expect("a call of this story").1.clone()
    }

    pub(crate) fn answer(&mut self, call: u64, payload: &str) -> u64 {
        let id = self.id_of(call);
        self.heard(&format!(r#"[3,"{id}",{payload}]"#))
    }

    pub(crate) fn sent(&mut self, call: u64) -> u64 {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowSent, |fact| {
            fact.via(leg, Dir::FromCharger)
                .because(call)
                .note(&json!({"id":"x","action":"","rewrites":[],"queued_us":500}))
        })
    }

    /// What went to the shadow, with a note of its own; `call` is 0 for what the tap made up.
    pub(crate) fn sent_saying(&mut self, call: u64, note: &Value) -> u64 {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowSent, |fact| {
            fact.via(leg, Dir::FromCharger).because(call).note(note)
        })
    }

    /// The shadow's answer to a copy, or its silence, that a charger would answer with a repeat.
    pub(crate) fn failed_once(&mut self, sent: u64) -> u64 {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowSilent, |fact| {
            fact.via(leg, Dir::ToCharger)
                .because(sent)
                .note(&json!({"action":"x","waited_us":1,"retry":true}))
        })
    }

    /// The leg's connection ended before this CALL was answered; it goes again.
    pub(crate) fn shadow_closed_before(&mut self, call: u64) {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowClosed, |fact| {
            fact.via(leg, Dir::ToCharger)
                .note(&json!({"why":"fin","again":call}))
        });
    }

    pub(crate) fn synthetic(&mut self, action: &str) -> u64 {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowSent, |fact| {
            fact.via(leg, Dir::FromCharger)
                .body("[2,\"s\",\"BootNotification\",{}]")
                .note(&json!({"id":"s","action":action,"queued_us":0,"synthetic":"boot"}))
        })
    }

    pub(crate) fn shadow_answer(&mut self, sent: u64, text: &str) -> u64 {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowReceived, |fact| {
            fact.via(leg, Dir::ToCharger).because(sent).body(text)
        })
    }

    /// A whole exchange: the authority answers after 40 ms, the shadow after 30 ms more.
    pub(crate) fn exchange(
        &mut self,
        action: &str,
        request: &str,
        answer: &str,
        shadow: Shadow<'_>,
    ) {
        let call = self.call(action, request);
        self.now += 40_000;
        self.answer(call, answer);
        self.shadow(call, action, shadow);
    }

    /// The same, refused by the authority.
    pub(crate) fn refused_exchange(&mut self, action: &str, request: &str, shadow: Shadow<'_>) {
        let call = self.call(action, request);
        let id = self.id_of(call);
        self.heard(&format!(r#"[4,"{id}","GenericError","",{{}}]"#));
        self.shadow(call, action, shadow);
    }

    pub(crate) fn withheld(&mut self, call: u64, action: &str, why: &str) {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowWithheld, |fact| {
            fact.via(leg, Dir::FromCharger)
                .because(call)
                .note(&json!({"why":why,"action":action,"id":"x"}))
        });
    }

    fn shadow(&mut self, call: u64, action: &str, shadow: Shadow<'_>) {
        let leg = self.authority.other();
        if let Shadow::Withheld(why) = shadow {
            self.withheld(call, action, why);
            return;
        }
        let sent = self.sent(call);
        self.now += 30_000;
        match shadow {
            Shadow::Answers(payload) => self.shadow_answer(sent, &format!(r#"[3,"x",{payload}]"#)),
            Shadow::Refuses(code) => {
                self.shadow_answer(sent, &format!(r#"[4,"x","{code}","",{{}}]"#))
            }
            _ => self.push_here(Kind::ShadowSilent, |fact| {
                fact.via(leg, Dir::ToCharger)
                    .because(sent)
                    .note(&json!({"action":action,"waited_us":30_000_000}))
            }),
        };
    }

    pub(crate) fn command(&mut self, action: &str, payload: &str) -> u64 {
        self.heard(&format!(r#"[2,"c","{action}",{payload}]"#))
    }

    pub(crate) fn shadow_command(&mut self, action: &str, payload: &str) -> u64 {
        self.shadow_answer(0, &format!(r#"[2,"c","{action}",{payload}]"#))
    }

    /// A command of the shadow's that was answered in the charger's place; returns the command.
    pub(crate) fn stand_in(&mut self, action: &str, payload: &str, source: &str) -> u64 {
        let note = json!({"action":action,"source":source});
        self.stand_in_saying(action, payload, &note)
    }

    pub(crate) fn stand_in_saying(&mut self, action: &str, payload: &str, note: &Value) -> u64 {
        let command = self.shadow_command(action, payload);
        let leg = self.authority.other();
        self.push_here(Kind::ShadowAnswered, |fact| {
            fact.via(leg, Dir::FromCharger)
                .because(command)
                .body("[3,\"c\",{}]")
                .note(note)
        });
        command
    }

    pub(crate) fn learned(&mut self, class: &str, authority: &str, shadow: &str) {
        let leg = self.authority.other();
        self.push_here(Kind::IdentifierLearned, |mut fact| {
            fact.leg = Some(leg);
            fact.note(&json!({"class":class,"authority":authority,"shadow":shadow}))
        });
    }

    /// A reader read a record of a backend.
    pub(crate) fn record(&mut self, leg: Leg, form: &str, kind: &str, body: &Value) -> u64 {
        let id = body["id"].as_str().unwrap_or_default();
        let note = json!({"reader":"test","form":form,"kind":kind,"id":id,"url":"test","read_at":self.now});
        let mut fact = Fact::new(Kind::BackendRecord, self.now)
            .body(body.to_string())
            .note(&note);
        fact.leg = Some(leg);
        self.push(fact)
    }

    /// A reader has been through what a backend has.
    pub(crate) fn swept(&mut self, leg: Leg, kind: &str) {
        let note = json!({"reader":"test","kind":kind,"seen":1,"recorded":1});
        let mut fact = Fact::new(Kind::BackendRead, self.now).note(&note);
        fact.leg = Some(leg);
        self.push(fact);
    }

    pub(crate) fn gap(&mut self, dir: Dir) {
        let leg = self.authority;
        self.push_here(Kind::Gap, |fact| {
            fact.via(leg, dir)
                .covering(9, 2)
                .note(&json!({"why":"hand-over full","first":8,"last":9,"bytes":99}))
        });
    }

    pub(crate) fn opaque(&mut self, dir: Dir) {
        let leg = self.authority;
        self.push_here(Kind::Opaque, |fact| {
            fact.via(leg, dir)
                .covering(9, 1)
                .note(&json!({"why":"not UTF-8","len":3}))
        });
    }

    pub(crate) fn tick(&mut self) {
        self.push(Fact::new(Kind::Tick, 0));
    }

    pub(crate) fn stopped(&mut self) {
        self.push(Fact::new(Kind::TapStopped, 0));
    }

    pub(crate) fn plane_restarted(&mut self) {
        self.push(Fact::new(Kind::PlaneStarted, 0).note(&json!({"run":"r","restart":true})));
    }

    pub(crate) fn close(&mut self) {
        self.push_here(Kind::ConnClosed, |fact| fact);
    }

    pub(crate) fn shadow_opened(&mut self) {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowOpened, |fact| {
            fact.via(leg, Dir::FromCharger)
                .note(&json!({"subprotocol":"ocpp1.6","status":101,"elapsed_us":900}))
        });
    }

    pub(crate) fn shadow_refused(&mut self, note: &Value) {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowRefused, |fact| {
            fact.via(leg, Dir::FromCharger).note(note)
        });
    }

    pub(crate) fn shadow_closed(&mut self) {
        self.shadow_ended(&json!({"why":"fin"}));
    }

    pub(crate) fn shadow_ended(&mut self, note: &Value) {
        let leg = self.authority.other();
        self.push_here(Kind::ShadowClosed, |fact| {
            fact.via(leg, Dir::ToCharger).note(note)
        });
    }
}

fn opened(charger: &str, authority: Leg, subprotocol: &str) -> Value {
    json!({
        "charger": charger, "peer": "192.0.2.1:1", "authority": authority, "target": "/x",
        "offered": subprotocol, "subprotocol": subprotocol, "extensions": null, "authorization": null,
        "handshake_us": 1000, "quirks": [], "seen": [0, 0], "slot": 0
    })
}
