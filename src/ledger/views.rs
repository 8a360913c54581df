//! The ledger as JSON: schema `evenkeel.diffs/1`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::LedgerError;
use super::query::{self, Filter, Reader};
use super::row::{Standing, State, Subject};
use crate::clock::Micros;
use crate::ocpp::{Severity, quirks};

pub mod coverage;

pub use coverage::{Coverage, Share};

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.diffs/1";

/// What `diffs --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diffs {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The last fact that has been judged.
    pub judged: u64,
    /// Exchanges by outcome.
    pub outcomes: Outcomes,
    /// Commands by outcome.
    pub commands: Outcomes,
    /// Shadow handshakes by outcome.
    pub handshakes: Outcomes,
    /// How much of what chargers said was compared.
    pub coverage: Coverage,
    /// Sessions by outcome; pending ones are open or wait for records.
    pub sessions: Outcomes,
    /// Findings, worst and most frequent first.
    pub findings: Vec<Finding>,
    /// Oddities that no backend is to be blamed for, by row of the catalogue.
    pub quirks: Vec<Quirk>,
    /// How the shadow's commands were answered in the chargers' place, by action and source.
    pub stand_in: Vec<StandIns>,
    /// What the shadow's commands would have changed, had chargers heard them.
    pub would_have_changed: Vec<Attempt>,
    /// Digest of the ledger.
    pub digest: String,
    /// What other rules than the recording's changed; absent unless they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejudged: Option<Rejudged>,
}

/// What judging a recording by other rules changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejudged {
    /// The files of the other rules.
    pub rules: Vec<String>,
    /// Findings that these rules no longer give.
    pub gone: Vec<String>,
    /// Findings that only these rules give.
    pub new: Vec<String>,
    /// Exchanges by outcome, by the recording's own rules.
    pub recording_outcomes: Outcomes,
    /// Commands by outcome, by the recording's own rules.
    pub recording_commands: Outcomes,
    /// Digest of the recording's own ledger.
    pub recording_digest: String,
}

/// One oddity of chargers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quirk {
    /// Its row in the catalogue.
    pub row: u8,
    /// Its name.
    pub name: &'static str,
    /// The backend whose doing it is, if it is not the charger's.
    pub leg: Option<String>,
    /// A word more, an action for example.
    pub detail: Option<String>,
    /// How often.
    pub count: u64,
    /// On which chargers.
    pub chargers: Vec<String>,
    /// When first, RFC 3339.
    pub first_seen: String,
    /// When last, RFC 3339.
    pub last_seen: String,
}

/// Counts per outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// No difference.
    pub equal: u64,
    /// Explained by rules.
    pub explained: u64,
    /// Divergent.
    pub divergent: u64,
    /// Not comparable: `total`, and by reason.
    pub not_comparable: BTreeMap<String, u64>,
    /// Not judged yet; absent where that is not known, as of messages and commands of a part of the chargers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `F-` and eight characters.
    pub id: String,
    /// The worst severity seen.
    pub severity: Severity,
    /// How often.
    pub count: u64,
    /// The action; empty for handshakes.
    pub action: String,
    /// JSON pointer with `*`.
    pub path: String,
    /// Kind of difference.
    pub kind: String,
    /// A sentence.
    pub title: String,
    /// Row of the charger's quirk that it is rooted in, if it is.
    pub quirk: Option<u8>,
    /// Value class on legacy.
    pub legacy: String,
    /// Value class on the candidate.
    pub candidate: String,
    /// The rule that decided.
    pub rule: String,
    /// Its reason.
    pub reason: String,
    /// On which chargers.
    pub chargers: Vec<String>,
    /// Out of how many.
    pub exposure: Exposure,
    /// When first, RFC 3339.
    pub first_seen: String,
    /// When last, RFC 3339.
    pub last_seen: String,
    /// Models.
    pub models: Vec<String>,
    /// Firmware.
    pub firmware: Vec<String>,
    /// The first few that show it.
    pub exemplars: Vec<u64>,
    /// What the sender was told last before its commands; empty for what is no command.
    pub triggers: Vec<query::Trigger>,
    /// How it stands.
    pub state: State,
    /// What people said about it last.
    pub triage: Option<Triage>,
    /// Builds of the candidate that it was seen on.
    pub builds: Vec<String>,
    /// How many were comparable since it was last seen (and, if fixed, since that is claimed).
    pub without: u64,
    /// Whether it has stopped occurring, by its rate so far.
    pub stopped: bool,
    /// How legacy itself varies, where it does.
    pub unstable: Option<Unstable>,
    /// What most likely brings it about: a conclusion, not a fact.
    pub cause: Option<Cause>,
}

/// What people said last about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Triage {
    /// `seq` of the note.
    pub note: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who answers for it; empty if nobody was named.
    pub owner: String,
    /// Why; empty if nothing was said.
    pub reason: String,
    /// When an acceptance ends, RFC 3339.
    pub until: Option<String>,
    /// Models that an acceptance is for; empty for all.
    pub models: Vec<String>,
    /// How often it may be seen under an acceptance.
    pub at_most: Option<u64>,
    /// The build that is said to be free of it.
    pub build: Option<String>,
    /// Whether that build has not been seen yet.
    pub awaited: bool,
    /// What changed the state since; empty if nothing did.
    pub since: String,
}

/// Where legacy's own answers to equal requests differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unstable {
    /// How many of the finding's divergences are there.
    pub count: u64,
    /// The most different values that legacy gave,
    pub values: u32,
    /// to this many equal requests.
    pub requests: u32,
    /// Whether that is most of the finding, which then says little of the candidate.
    pub apart: bool,
}

/// What separates divergent from equal exchanges best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The attribute, in words: `firmware`, `model`, `idTag`.
    pub attribute: String,
    /// What it is where they diverge.
    pub value: String,
    /// Exchanges with it.
    pub with: Support,
    /// Exchanges without it.
    pub without: Support,
}

/// How many of how many diverge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Support {
    /// Those that show the finding.
    pub divergent: u64,
    /// All that were looked at.
    pub of: u64,
}

/// A denominator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// How many were comparable.
    pub of: u64,
    /// What they are: `exchanges`, `commands`, `handshakes` or `sessions`.
    pub unit: String,
}

/// Answers of the stand-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandIns {
    /// The action.
    pub action: String,
    /// The source.
    pub source: String,
    /// How often.
    pub count: u64,
    /// On how many chargers.
    pub chargers: u64,
}

/// Equal commands of the shadow's that would have changed chargers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Who sent them.
    pub sender: String,
    /// The action.
    pub action: String,
    /// What they were about, as `name=value` after another.
    pub fields: String,
    /// Why an operator must hear of it; absent if it is nothing out of the ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// How often.
    pub count: u64,
    /// How many of them the sender believes obeyed.
    pub simulated: u64,
    /// On which chargers.
    pub chargers: Vec<String>,
    /// Whether the authority sent the same.
    pub authority_sent: Twins,
    /// When first, RFC 3339.
    pub first_seen: String,
    /// When last, RFC 3339.
    pub last_seen: String,
}

/// What the authority did meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Twins {
    /// The same.
    pub same: u64,
    /// The same action with other values.
    pub other: u64,
    /// Nothing like it.
    pub none: u64,
    /// That cannot be said, or not yet.
    pub unknown: u64,
}

/// Reads the view. The counts of outcomes are of the whole ledger; findings are filtered, and by action and charger also what
/// the shadow commanded.
pub fn diffs(reader: &Reader, filter: &Filter) -> Result<Diffs, LedgerError> {
    let cursor = reader.cursor()?;
    Ok(Diffs {
        schema: SCHEMA,
        judged: cursor.seq,
        outcomes: reader.outcomes(Subject::Exchange)?.into(),
        commands: reader.outcomes(Subject::Command)?.into(),
        handshakes: reader.outcomes(Subject::Handshake)?.into(),
        coverage: reader.covered(filter)?.into(),
        sessions: reader.outcomes(Subject::Session)?.into(),
        findings: reader
            .findings(filter)?
            .into_iter()
            .map(Finding::from)
            .collect(),
        quirks: reader
            .quirks(filter)?
            .into_iter()
            .filter_map(Quirk::of)
            .collect(),
        stand_in: reader
            .stand_ins(filter)?
            .into_iter()
            .map(StandIns::from)
            .collect(),
        would_have_changed: reader
            .attempts(filter)?
            .into_iter()
            .map(Attempt::from)
            .collect(),
        digest: cursor.digest.to_string(),
        rejudged: None,
    })
}

/// A stamp as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: Micros) -> String {
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl From<query::Outcomes> for Outcomes {
    fn from(outcomes: query::Outcomes) -> Self {
        let total = outcomes.not_comparable.values().sum();
        let mut not_comparable = outcomes.not_comparable;
        not_comparable.insert("total".to_owned(), total);
        Self {
            equal: outcomes.equal,
            explained: outcomes.explained,
            divergent: outcomes.divergent,
            not_comparable,
            pending: Some(outcomes.pending),
        }
    }
}

impl Quirk {
    /// `None` for a row that the catalogue does not have.
    fn of(seen: query::QuirkCount) -> Option<Self> {
        let word = |word: String| (!word.is_empty()).then_some(word);
        Some(Self {
            row: seen.row,
            name: quirks::Quirk::from_row(seen.row)?.name(),
            leg: word(seen.leg),
            detail: word(seen.detail),
            count: seen.count,
            chargers: seen.chargers,
            first_seen: rfc3339(seen.first_seen),
            last_seen: rfc3339(seen.last_seen),
        })
    }
}

impl From<query::Finding> for Finding {
    fn from(finding: query::Finding) -> Self {
        let unstable = (finding.unstable > 0).then(|| Unstable {
            count: finding.unstable,
            values: finding.varied.values,
            requests: finding.varied.requests,
            apart: finding.is_unstable(),
        });
        Self {
            exposure: Exposure {
                of: finding.of,
                unit: format!("{}s", finding.subject.word()),
            },
            first_seen: rfc3339(finding.first_seen),
            last_seen: rfc3339(finding.last_seen),
            id: finding.id,
            severity: finding.severity,
            count: finding.count,
            action: finding.action,
            path: finding.path,
            kind: finding.kind,
            title: finding.title,
            quirk: finding.quirk,
            legacy: finding.legacy,
            candidate: finding.candidate,
            rule: finding.rule,
            reason: finding.reason,
            chargers: finding.chargers,
            models: finding.models,
            firmware: finding.firmware,
            exemplars: finding.exemplars,
            triggers: finding.triggers,
            state: finding.life.state(),
            builds: finding.life.builds,
            without: finding.life.without,
            stopped: finding.life.stopped,
            unstable,
            triage: finding.life.standing.map(Triage::from),
            cause: None,
        }
    }
}

impl From<Standing> for Triage {
    fn from(standing: Standing) -> Self {
        Self {
            note: standing.id,
            at: rfc3339(standing.at),
            owner: standing.owner,
            reason: standing.reason,
            until: standing.until.map(rfc3339),
            models: standing.models,
            at_most: standing.at_most,
            build: standing.build,
            awaited: standing.awaited,
            since: standing.since,
        }
    }
}

impl Finding {
    /// Whether it is a divergence for the gate and the exit code: nobody accepted it, no fix that holds by now is claimed,
    /// and it is not apart.
    pub fn counts(&self) -> bool {
        let awaited = self.triage.as_ref().is_some_and(|triage| triage.awaited);
        match self.state {
            State::Accepted => false,
            State::Fixed => awaited && !self.is_apart(),
            State::New | State::Known | State::Regressed => !self.is_apart(),
        }
    }

    /// Whether it says nothing either way: most of it is where legacy itself varies, or a fix is claimed and too little was
    /// seen since to believe it.
    pub fn is_undecided(&self) -> bool {
        let unproven = self.state == State::Fixed && !self.stopped;
        !self.counts() && self.state != State::Accepted && (self.is_apart() || unproven)
    }

    /// Whether most of it is where legacy itself varies.
    pub fn is_apart(&self) -> bool {
        let unstable = self.unstable.as_ref();
        unstable.is_some_and(|unstable| unstable.apart)
    }
}

impl From<query::StandIns> for StandIns {
    fn from(found: query::StandIns) -> Self {
        Self {
            action: found.action,
            source: found.source,
            count: found.count,
            chargers: found.chargers,
        }
    }
}

impl From<query::Attempt> for Attempt {
    fn from(attempt: query::Attempt) -> Self {
        let query::Twins {
            same,
            other,
            none,
            unknown,
        } = attempt.authority;
        Self {
            sender: attempt.sender,
            action: attempt.action,
            fields: attempt.fields,
            notice: attempt.notice,
            count: attempt.count,
            simulated: attempt.simulated,
            chargers: attempt.chargers,
            authority_sent: Twins {
                same,
                other,
                none,
                unknown,
            },
            first_seen: rfc3339(attempt.first_seen),
            last_seen: rfc3339(attempt.last_seen),
        }
    }
}
