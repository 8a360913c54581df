//! The facts about one charger.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::What;
use super::steps::{Step, steps};
use super::{Draft, Line, twins};
use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg};
use crate::live::handover::Opened;
use crate::ocpp::identifiers::Part;
use crate::ocpp::{Envelope, MessageType, Version};
use crate::shadow::translate;

/// Tells the story of one charger as drafts of facts, in order.
pub(super) struct Charger<'d> {
    name: Arc<str>,
    authority: Leg,
    version: Version,
    drafts: &'d mut Vec<Draft>,
    last_conn: &'d mut u64,
    /// Never goes back.
    now: Micros,
    conn: Option<Conn>,
    /// The charger's CALLs that stand in both logs, by their line in the authority's.
    twins: HashMap<usize, Twin>,
    /// CALLs that wait for an answer, by leg, who asked, and id.
    asked: HashMap<(Leg, Dir, String), VecDeque<Asked>>,
}

/// A connection.
struct Conn {
    epoch: u64,
    frames: [u64; 2],
    closed: bool,
    leg_open: bool,
}

/// A CALL that stands in both logs, and its answers.
struct Twin {
    draft: usize,
    at: Micros,
    answers: [Option<String>; 2],
}

/// A CALL that waits for its answer.
#[derive(Clone)]
struct Asked {
    draft: usize,
    at: Micros,
    conn: u64,
    action: String,
    twin: Option<usize>,
}

impl<'d> Charger<'d> {
    pub(super) fn new(
        name: &str,
        authority: Leg,
        version: Version,
        drafts: &'d mut Vec<Draft>,
        last_conn: &'d mut u64,
    ) -> Self {
        Self {
            name: Arc::from(name),
            authority,
            version,
            drafts,
            last_conn,
            now: Micros::MIN,
            conn: None,
            twins: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Tells all; returns how many CALLs stand in both logs.
    pub(super) fn tell(&mut self, ours: &[Line<'_>], theirs: &[Line<'_>], set_by: Micros) -> u64 {
        let pairs = twins::pair(ours, theirs);
        let twin_of: HashMap<usize, usize> = pairs
            .iter()
            .enumerate()
            .filter_map(|(place, twin)| Some(((*twin)?, place)))
            .collect();
        let mut silences = HashMap::new();
        for (at, step) in steps(ours, theirs, &pairs, set_by) {
            self.now = self.now.max(at);
            match step {
                Step::Ours(place) => {
                    let lacks = match (theirs.is_empty(), twin_of.contains_key(&place)) {
                        (true, _) => Some("no log of the other backend"),
                        (false, false) => Some("not in the log of the other backend"),
                        (false, true) => None,
                    };
                    self.ours(&ours[place], place, lacks);
                }
                Step::Theirs(place) => {
                    if let Some(asked) = self.theirs(&theirs[place], pairs[place]) {
                        silences.insert(place, asked);
                    }
                }
                Step::Silence(place) => self.silent(&theirs[place], silences.remove(&place)),
            }
        }
        self.leave(None);
        self.end_leg(if theirs.is_empty() {
            "no log of the other backend"
        } else {
            "stopping"
        });
        twin_of.len() as u64
    }

    fn ours(&mut self, line: &Line<'_>, place: usize, lacks: Option<&str>) {
        match &line.entry.what {
            What::Opened => {
                self.leave(Some(line));
                self.open(line);
            }
            What::Closed => self.leave(Some(line)),
            What::Bad(why) => self.gap(line, why),
            What::Message(dir, text) => self.message(line, *dir, text, place, lacks),
        }
    }

    fn message(
        &mut self,
        line: &Line<'_>,
        dir: Dir,
        text: &str,
        place: usize,
        lacks: Option<&str>,
    ) {
        let (authority, other) = (self.authority, self.authority.other());
        let conn = self.connected(line);
        conn.frames[dir.index()] += 1;
        let frame = conn.frames[dir.index()];
        let epoch = conn.epoch;
        let fact = self
            .fact(Kind::Message)
            .via(authority, dir)
            .covering(frame, 1)
            .body(text);
        let draft = self.push(fact, None, json!({}), line);
        let Ok(envelope) = Envelope::parse(text) else {
            return;
        };
        let key = |asker| (authority, asker, envelope.id.clone().into_owned());
        if envelope.kind.is_answer() {
            let asked = self
                .asked
                .get_mut(&key(opposite(dir)))
                .and_then(VecDeque::pop_front);
            if let Some(Asked {
                twin: Some(place),
                action,
                ..
            }) = asked
            {
                self.answered(place, 0, &envelope, &action, draft);
            }
            return;
        }
        if dir == Dir::FromCharger {
            match lacks {
                None => drop(self.twins.insert(
                    place,
                    Twin {
                        draft,
                        at: self.now,
                        answers: [None, None],
                    },
                )),
                Some(why) if envelope.kind == MessageType::Call => {
                    let note = json!({"why": why, "action": envelope.action, "id": envelope.id});
                    let withheld = self.fact(Kind::ShadowWithheld).via(other, dir);
                    self.push(withheld, Some(draft), note, line);
                }
                Some(_) => {}
            }
        }
        self.asked.entry(key(dir)).or_default().push_back(Asked {
            draft,
            at: self.now,
            conn: epoch,
            action: envelope.action.into_owned(),
            twin: (dir == Dir::FromCharger && lacks.is_none()).then_some(place),
        });
    }

    /// Takes a line of the other backend's log; returns a CALL of the charger's that waits for an answer now.
    fn theirs(&mut self, line: &Line<'_>, twin: Option<usize>) -> Option<Asked> {
        match &line.entry.what {
            What::Opened => {
                self.end_leg("fin");
                self.open_leg(line);
            }
            What::Closed => self.end_leg("fin"),
            What::Bad(why) => {
                self.open_leg(line);
                self.gap(line, why);
            }
            What::Message(dir, text) => {
                self.open_leg(line);
                let envelope = Envelope::parse(text).ok()?;
                return match dir {
                    Dir::FromCharger => self.sent(line, text, &envelope, twin),
                    Dir::ToCharger => self.received(line, text, &envelope),
                };
            }
        }
        None
    }

    fn sent(
        &mut self,
        line: &Line<'_>,
        text: &str,
        envelope: &Envelope<'_>,
        twin: Option<usize>,
    ) -> Option<Asked> {
        let other = self.authority.other();
        let id = envelope.id.clone().into_owned();
        if envelope.kind.is_answer() {
            let command = self
                .asked
                .get_mut(&(other, Dir::ToCharger, id))
                .and_then(VecDeque::pop_front);
            let action = command
                .as_ref()
                .map_or("", |command| command.action.as_str());
            let note = json!({"action": action, "source": "imported"});
            let fact = self
                .fact(Kind::ShadowAnswered)
                .via(other, Dir::FromCharger)
                .body(text);
            self.push(
                fact,
                command.as_ref().map(|command| command.draft),
                note,
                line,
            );
            return None;
        }
        let known = twin.and_then(|twin| self.twins.get(&twin));
        let mut note = json!({"id": envelope.id, "action": envelope.action, "rewrites": [],
            "queued_us": known.map_or(0, |known| self.now - known.at)});
        let cause = known.map(|known| known.draft);
        let same = cause.is_some_and(|cause| self.drafts[cause].fact.body == text.as_bytes());
        if cause.is_none() {
            note["synthetic"] = json!("not in the log of the authority");
        }
        let mut fact = self.fact(Kind::ShadowSent).via(other, Dir::FromCharger);
        if !same {
            fact = fact.body(text);
        }
        let draft = self.push(fact, cause, note, line);
        let asked = Asked {
            draft,
            at: self.now,
            conn: self.conn.as_ref().map_or(0, |conn| conn.epoch),
            action: envelope.action.clone().into_owned(),
            twin: twin.filter(|_| cause.is_some()),
        };
        if envelope.kind != MessageType::Call {
            return None;
        }
        self.asked
            .entry((other, Dir::FromCharger, id))
            .or_default()
            .push_back(asked.clone());
        Some(asked)
    }

    fn received(&mut self, line: &Line<'_>, text: &str, envelope: &Envelope<'_>) -> Option<Asked> {
        let other = self.authority.other();
        let id = envelope.id.clone().into_owned();
        let asked = if envelope.kind.is_answer() {
            let key = (other, Dir::FromCharger, id.clone());
            self.asked.get_mut(&key).and_then(VecDeque::pop_front)
        } else {
            None
        };
        let fact = self
            .fact(Kind::ShadowReceived)
            .via(other, Dir::ToCharger)
            .body(text);
        let draft = self.push(
            fact,
            asked.as_ref().map(|asked| asked.draft),
            json!({}),
            line,
        );
        match asked {
            Some(Asked {
                twin: Some(place),
                action,
                ..
            }) => {
                self.answered(place, 1, envelope, &action, draft);
            }
            None if envelope.kind == MessageType::Call => {
                let asked = Asked {
                    draft,
                    at: self.now,
                    conn: self.conn.as_ref().map_or(0, |conn| conn.epoch),
                    action: envelope.action.clone().into_owned(),
                    twin: None,
                };
                self.asked
                    .entry((other, Dir::ToCharger, id))
                    .or_default()
                    .push_back(asked);
            }
            _ => {}
        }
        None
    }

    /// One side has answered a CALL that stands in both logs. When both have, it shows which identifiers mean the same.
    fn answered(
        &mut self,
        place: usize,
        side: usize,
        envelope: &Envelope<'_>,
        action: &str,
        draft: usize,
    ) {
        let Some(twin) = self.twins.get_mut(&place) else {
            return;
        };
        if envelope.kind == MessageType::CallResult {
            twin.answers[side] = Some(envelope.payload.to_owned());
        }
        let [Some(ours), Some(theirs)] = &twin.answers else {
            return;
        };
        let minted =
            |payload: &str| translate::mints(self.version, action, Part::Response, payload);
        for (class, authority, shadow) in translate::pair(&minted(ours), &minted(theirs)) {
            let note = json!({"class": class.word(), "authority": authority, "shadow": shadow});
            let mut fact = self.fact(Kind::IdentifierLearned).note(&note);
            fact.leg = Some(self.authority.other());
            self.drafts.push(Draft {
                fact,
                cause: Some(draft),
            });
        }
    }

    /// The other backend was asked long ago and its log goes on without an answer.
    fn silent(&mut self, line: &Line<'_>, asked: Option<Asked>) {
        let conn = self
            .conn
            .as_ref()
            .filter(|conn| !conn.closed)
            .map(|conn| conn.epoch);
        let Some(asked) = asked.filter(|asked| conn == Some(asked.conn)) else {
            return;
        };
        let note = json!({"action": asked.action, "waited_us": self.now - asked.at});
        let fact = self
            .fact(Kind::ShadowSilent)
            .via(self.authority.other(), Dir::ToCharger);
        self.push(fact, Some(asked.draft), note, line);
    }

    fn gap(&mut self, line: &Line<'_>, why: &str) {
        self.connected(line);
        let Draft { fact: gap, .. } = line.gap(why);
        let mut fact = self.fact(Kind::Gap);
        (fact.leg, fact.note) = (gap.leg, gap.note);
        self.drafts.push(Draft { fact, cause: None });
    }

    /// The connection, opened if the log begins in the middle of it.
    fn connected(&mut self, line: &Line<'_>) -> &mut Conn {
        if self.conn.as_ref().is_none_or(|conn| conn.closed) {
            self.open(line);
        }
        self.conn.get_or_insert_with(|| Conn::new(0))
    }

    fn open(&mut self, line: &Line<'_>) {
        self.end_leg("charger connection closed");
        *self.last_conn += 1;
        self.conn = Some(Conn::new(*self.last_conn));
        let subprotocol = self.version.subprotocol().to_owned();
        let opened = Opened {
            offered: Some(subprotocol.clone()),
            subprotocol: Some(subprotocol),
            ..Opened::of(&self.name, self.authority)
        };
        let note = serde_json::to_value(&opened).unwrap_or_default();
        let fact = self
            .fact(Kind::ConnOpened)
            .via(self.authority, Dir::FromCharger);
        self.push(fact, None, note, line);
    }

    /// The charger's connection ends.
    fn leave(&mut self, line: Option<&Line<'_>>) {
        let Some(conn) = self.conn.as_mut().filter(|conn| !conn.closed) else {
            return;
        };
        conn.closed = true;
        let mut note = json!({"by": "", "how": "not known", "flows": null, "seen": conn.frames});
        if let Some(line) = line {
            note["imported"] = line.mark();
        }
        let fact = self
            .fact(Kind::ConnClosed)
            .via(self.authority, Dir::FromCharger)
            .note(&note);
        self.drafts.push(Draft { fact, cause: None });
        let authority = self.authority;
        self.asked.retain(|(leg, ..), _| *leg != authority);
    }

    /// The other backend takes part in the connection. A log does not tell what it chose in the handshake.
    fn open_leg(&mut self, line: &Line<'_>) {
        if self.conn.is_none() {
            self.open(line);
        }
        let Some(conn) = self.conn.as_mut().filter(|conn| !conn.leg_open) else {
            return;
        };
        conn.leg_open = true;
        let note = json!({"why": "version", "status": 101});
        let fact = self
            .fact(Kind::ShadowOpened)
            .via(self.authority.other(), Dir::FromCharger);
        self.push(fact, None, note, line);
    }

    fn end_leg(&mut self, why: &str) {
        let Some(conn) = self.conn.as_mut() else {
            return;
        };
        // A leg of which there is no log has ended too: what waits for it waits in vain.
        if std::mem::take(&mut conn.leg_open) || conn.closed {
            let leg = self.authority.other();
            let fact = self
                .fact(Kind::ShadowClosed)
                .via(leg, Dir::ToCharger)
                .note(&json!({"why": why}));
            self.drafts.push(Draft { fact, cause: None });
        }
    }

    fn fact(&self, kind: Kind) -> Fact {
        let conn = self.conn.as_ref().map_or(0, |conn| conn.epoch);
        Fact::new(kind, self.now).on(&self.name, conn)
    }

    fn push(
        &mut self,
        fact: Fact,
        cause: Option<usize>,
        mut note: Value,
        line: &Line<'_>,
    ) -> usize {
        note["imported"] = line.mark();
        self.drafts.push(Draft {
            fact: fact.note(&note),
            cause,
        });
        self.drafts.len() - 1
    }
}

impl Conn {
    const fn new(epoch: u64) -> Self {
        Self {
            epoch,
            frames: [0, 0],
            closed: false,
            leg_open: false,
        }
    }
}

const fn opposite(dir: Dir) -> Dir {
    match dir {
        Dir::FromCharger => Dir::ToCharger,
        Dir::ToCharger => Dir::FromCharger,
    }
}
