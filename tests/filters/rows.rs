//! Rows that differ in everything that can be asked for.

use evenkeel::ledger::Row;
use evenkeel::ledger::filter::Home;
use evenkeel::ledger::row::{
    Book, Charger, Check, Divergence, Estate, Exchange, Group, Member, Outcome, Reason, Session,
    Standing, State, Subject,
};
use evenkeel::ocpp::Severity;

/// 2026-11-03T12:00:00Z, when the last fact was.
pub(crate) const NOW: i64 = 1_793_707_200_000_000;

/// What chargers said of themselves; the last one has said nothing.
pub(crate) const MODELS: [&str; 4] = ["C-1", "Wall 100%", "a_b*", ""];

const CHARGERS: [&str; 4] = ["CP1", "cp1", "ams/é", "CP22"];
const ACTIONS: [&str; 3] = ["Authorize", "Heartbeat", "StartTransaction"];
const FINDINGS: [&str; 3] = ["F-0000000A", "F-0000000B", "F-0000000C"];
const REASONS: [Reason; 3] = [Reason::ShadowGap, Reason::Tainted, Reason::ColdStart];

/// The groups of the first two chargers; only the first of them has a wave.
const HOMES: [(&str, &str); 2] = [("depot-n", "pilot"), ("depot-s", "")];

/// Where a charger belongs.
pub(crate) fn home(charger: &str) -> Home<'static> {
    let at = CHARGERS.iter().position(|known| *known == charger);
    let (group, wave) = at.and_then(|at| HOMES.get(at)).copied().unwrap_or_default();
    Home { group, wave }
}

/// The rows of a night.
pub(crate) struct Night {
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) divergences: Vec<Divergence>,
    pub(crate) sessions: Vec<Session>,
    standings: Vec<Standing>,
}

fn pick<T: Copy>(from: &[T], at: usize) -> T {
    from[at % from.len()]
}

impl Night {
    /// So many of each.
    pub(crate) fn of(count: usize) -> Self {
        Self {
            exchanges: (0..count).map(exchange).collect(),
            divergences: (0..count).map(divergence).collect(),
            sessions: (0..count).map(session).collect(),
            standings: vec![standing()],
        }
    }

    /// Everything, as the judge would say it.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let chargers = CHARGERS
            .iter()
            .zip(MODELS)
            .filter(|(_, model)| !model.is_empty());
        let chargers = chargers.map(|(charger, model)| {
            Row::Charger(Charger {
                charger: (*charger).to_owned(),
                model: model.to_owned(),
                since: 1,
                ..Charger::default()
            })
        });
        let exchanges = self.exchanges.iter().cloned().map(Row::Exchange);
        let divergences = self.divergences.iter().cloned().map(Row::Divergence);
        let sessions = self
            .sessions
            .iter()
            .cloned()
            .map(|row| Row::Session(Box::new(row)));
        let standings = self
            .standings
            .iter()
            .cloned()
            .map(|row| Row::Standing(Box::new(row)));
        let groups = HOMES.map(|(name, wave)| Group {
            name: name.to_owned(),
            wave: wave.to_owned(),
            ..Group::default()
        });
        let estate = Row::Estate(Box::new(Estate {
            groups: groups.into(),
            ..Estate::default()
        }));
        let members = CHARGERS.iter().zip(HOMES).map(|(charger, (group, _))| {
            Row::Member(Member {
                charger: (*charger).to_owned(),
                group: group.to_owned(),
                version: "1.6".to_owned(),
                since: 1,
            })
        });
        std::iter::once(estate)
            .chain(members)
            .chain(chargers)
            .chain(exchanges)
            .chain(divergences)
            .chain(sessions)
            .chain(standings)
            .collect()
    }

    /// The model of an exchange's charger, and the findings that the exchange shows.
    pub(crate) fn around(&self, row: &Exchange) -> (&'static str, Vec<String>) {
        let at = CHARGERS
            .iter()
            .position(|charger| *charger == row.charger)
            .unwrap();
        let shows = |it: &&Divergence| it.subject == Subject::Exchange && it.id == row.id;
        let findings = self
            .divergences
            .iter()
            .filter(shows)
            .map(|it| it.finding.clone());
        (MODELS[at], findings.collect())
    }

    /// How a finding stands.
    pub(crate) fn standing(&self, finding: &str) -> Option<&Standing> {
        self.standings
            .iter()
            .find(|standing| standing.finding == finding)
    }
}

fn at(number: usize) -> i64 {
    NOW - number as i64 * 7 * 60_000_000
}

fn exchange(number: usize) -> Exchange {
    let outcomes = [
        Outcome::Equal,
        Outcome::Explained,
        Outcome::Divergent,
        Outcome::NotComparable,
    ];
    let outcome = pick(&outcomes, number);
    Exchange {
        id: number as u64 + 1,
        at: at(number),
        charger: pick(&CHARGERS, number / 2).to_owned(),
        conn: 1,
        version: pick(&["1.6", "2.0.1"], number / 3).into(),
        action: pick(&ACTIONS, number).to_owned(),
        authority: "legacy".into(),
        outcome,
        reason: (outcome == Outcome::NotComparable).then(|| pick(&REASONS, number / 4)),
        root: number.is_multiple_of(9).then(|| FINDINGS[0].to_owned()),
        severity: (outcome == Outcome::Divergent).then(|| pick(&Severity::ALL, number / 4)),
        rules: if outcome == Outcome::Explained {
            vec!["clock".to_owned(), "interval".to_owned()]
        } else {
            Vec::new()
        },
        answer: 1,
        sent: 1,
        shadow: 1,
        authority_us: number.is_multiple_of(2).then_some(number as i64 * 50_000),
        shadow_us: number.is_multiple_of(3).then_some(number as i64 * 60_000),
        queue_us: number.is_multiple_of(5).then_some(number as i64 * 1_000),
    }
}

fn divergence(number: usize) -> Divergence {
    let kind = number % FINDINGS.len();
    Divergence {
        finding: FINDINGS[kind].to_owned(),
        subject: pick(
            &[Subject::Exchange, Subject::Exchange, Subject::Session],
            number / 2,
        ),
        id: number as u64 + 1,
        at: at(number),
        charger: pick(&CHARGERS, number).to_owned(),
        conn: 1,
        model: pick(&MODELS, number).to_owned(),
        firmware: String::new(),
        rule: pick(&["auth.status", "100%"], kind).to_owned(),
        reason: "because".to_owned(),
        direction: "answer".to_owned(),
        action: ACTIONS[kind].to_owned(),
        path: pick(&["/idTagInfo/status", "/meterValue/*/value", ""], kind).to_owned(),
        pointer: "/idTagInfo/status".to_owned(),
        kind: pick(&["value", "missing", "type"], kind).to_owned(),
        severity: pick(&Severity::ALL, number),
        legacy: "Accepted".to_owned(),
        candidate: pick(&["Blocked", "(absent)", "a \"b\""], kind).to_owned(),
        title: pick(&["Candidate blocks", "Only legacy says it", "é?"], kind).to_owned(),
        quirk: None,
        unstable: None,
        run: 1,
        exposed: 0,
    }
}

fn standing() -> Standing {
    Standing {
        finding: FINDINGS[1].to_owned(),
        id: 1,
        at: NOW,
        state: State::Accepted,
        owner: "ops".to_owned(),
        reason: String::new(),
        until: None,
        models: Vec::new(),
        at_most: None,
        build: None,
        awaited: false,
        exposed: 0,
        since: String::new(),
    }
}

fn session(number: usize) -> Session {
    let outcomes = [
        Some(Outcome::Equal),
        None,
        Some(Outcome::Divergent),
        Some(Outcome::NotComparable),
    ];
    let outcome = pick(&outcomes, number);
    let check = |name: &'static str, verdict: &'static str| Check {
        name: name.into(),
        wire: None,
        legacy: None,
        candidate: None,
        verdict: verdict.into(),
    };
    let energy = pick(&[None, Some("3.75"), Some("-2"), Some("7")], number / 2);
    Session {
        id: number as u64 + 1,
        at: at(number),
        charger: pick(&CHARGERS, number).to_owned(),
        conn: 1,
        version: pick(&["1.6", "2.0.1"], number / 3).into(),
        authority: "legacy".into(),
        state: pick(&["open", "ended", "no stop", "no start", "no wire"], number).into(),
        connector: pick(&["1", "1/2", ""], number).to_owned(),
        token: pick(&["acc", "T 1", "é"], number / 2).to_owned(),
        legacy_names: vec![number.to_string(), "5".to_owned()],
        candidate_names: pick(&[&["x-1"][..], &[]], number)
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        outcome,
        reason: (outcome == Some(Outcome::NotComparable)).then(|| pick(&REASONS, number / 4)),
        root: None,
        severity: (outcome == Some(Outcome::Divergent)).then(|| pick(&Severity::ALL, number / 4)),
        defects: pick(&[&[][..], &["clock", "no meter"]], number / 3)
            .iter()
            .map(|&defect| defect.into())
            .collect(),
        wire: energy.map(|energy| Book {
            energy_wh: Some(energy.to_owned()),
            ..Book::default()
        }),
        legacy: None,
        candidate: None,
        checks: vec![
            check("energy", pick(&["equal", "candidate wrong"], number)),
            check("start", "unknown"),
        ],
        findings: (0..number % 3).map(|at| FINDINGS[at].to_owned()).collect(),
    }
}
