//! One finding, told so that whoever has to mend it need not ask back.

pub mod exemplar;

mod reasons;

use serde::Serialize;

use super::since::Compared;
use super::{ReportError, World};
use crate::estate::bound;
use crate::ledger::query::{Matrix, SESSION};
use crate::ledger::row::{State, Subject};
use crate::ledger::views::{Finding, Triage};
use crate::ocpp::Severity;
use crate::report::comparison::dotted;
use crate::report::protocol::{self, Clause};
use crate::report::veil::Veil;
use crate::report::words::{counted, grouped, percent};
use exemplar::{Exemplar, Need};

/// Chargers that are listed by name.
const CHARGERS: usize = 50;

/// Bars of the chart of when it was seen.
const BARS: i64 = 40;

/// The chance that the bound is below the true rate.
const ALPHA: f64 = 0.05;

/// Between so few and so many further messages have to be free of it before it is believed gone.
const PROOF: (u64, u64) = (20, 3_000);

/// A finding.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    /// `F-` and eight characters.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// What that means.
    pub means: &'static str,
    /// Whether it counts against the candidate; others are undecided.
    pub counts: bool,
    /// A sentence.
    pub title: String,
    /// Where: action and member.
    pub place: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// The action; empty for handshakes.
    pub action: String,
    /// Kind of difference.
    pub kind: String,
    /// What legacy said, as a class.
    pub legacy: String,
    /// What the candidate said.
    pub candidate: String,
    /// Why it matters: the reason of the rule that decided.
    pub why: String,
    /// That rule.
    pub rule: String,
    /// Why it is not noise, in sentences.
    pub not_noise: Vec<String>,
    /// How often.
    pub exposure: Exposure,
    /// On which chargers; the first ones if there are many.
    pub chargers: Vec<String>,
    /// On how many.
    pub charger_count: u64,
    /// Their models.
    pub models: Vec<String>,
    /// Models that had the same traffic without it.
    pub not_on: Vec<String>,
    /// Their firmware.
    pub firmware: Vec<String>,
    /// Builds of the candidate that it was seen on.
    pub builds: Vec<String>,
    /// When first, RFC 3339.
    pub first_seen: String,
    /// When last.
    pub last_seen: String,
    /// How often in each equal part of the recording.
    pub trend: Vec<u64>,
    /// How it stands.
    pub state: State,
    /// How it stands against an earlier report; absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Compared>,
    /// What people said about it last.
    pub triage: Option<Triage>,
    /// What most likely brings it about, in words: a conclusion, not a fact.
    pub likely: Option<String>,
    /// What came before, of commands.
    pub after: Vec<String>,
    /// What the protocol says, in our words.
    pub protocol: Option<Clause>,
    /// What has to be there before it can be seen again.
    pub needs: Vec<Need>,
    /// How it is seen again; absent where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reproduce: Option<Reproduce>,
    /// The first few that show it.
    pub exemplars: Vec<Exemplar>,
    /// What would close it.
    pub closes: String,
}

/// How a finding is seen again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reproduce {
    /// The bundle's file in the archive; none if there is no bundle.
    pub file: Option<String>,
    /// The one command, to be run in the unpacked folder.
    pub command: Option<String>,
    /// Messages in the bundle.
    pub steps: u64,
    /// Messages of the series that it was cut from.
    pub from: u64,
    /// Why there is no bundle.
    pub why: Option<String>,
}

/// How often, and how often it may still be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exposure {
    /// How often it was seen.
    pub count: u64,
    /// Out of how many that could be compared.
    pub of: u64,
    /// What these are.
    pub unit: String,
    /// The largest share that this is still likely to be a sample of; absent where one may show it several times.
    pub bound: Option<f64>,
    /// All of that in words.
    pub says: String,
}

impl Card {
    pub(super) fn of(
        world: &World<'_>,
        matrix: &Matrix,
        finding: &Finding,
    ) -> Result<Self, ReportError> {
        let veil = world.veil;
        let seen = exemplar::of(world, finding)?;
        let clause =
            protocol::clause(&seen.version, &finding.action, &finding.path, &finding.kind)?;
        let exposure = Exposure::of(finding);
        Ok(Self {
            severity: finding.severity,
            means: finding.severity.word(),
            counts: finding.counts(),
            title: veil.prose(&finding.title),
            place: place(finding, seen.subject),
            subject: seen.subject,
            action: finding.action.clone(),
            kind: finding.kind.clone(),
            legacy: veil.prose(&finding.legacy),
            candidate: veil.prose(&finding.candidate),
            why: veil.prose(&finding.reason),
            rule: finding.rule.clone(),
            not_noise: reasons::not_noise(finding, seen.place.as_ref(), veil),
            chargers: (finding.chargers.iter())
                .take(CHARGERS)
                .map(|charger| veil.pseudonym(charger))
                .collect(),
            charger_count: finding.chargers.len() as u64,
            models: finding.models.clone(),
            not_on: not_on(matrix, finding, seen.subject),
            firmware: finding.firmware.clone(),
            builds: finding.builds.clone(),
            first_seen: veil.prose(&finding.first_seen),
            last_seen: veil.prose(&finding.last_seen),
            trend: trend(world, &finding.id)?,
            state: finding.state,
            since: None,
            triage: finding.triage.clone().map(|triage| said(triage, veil)),
            likely: finding
                .cause
                .as_ref()
                .map(|cause| reasons::likely(cause, veil)),
            after: (finding.triggers.iter())
                .map(|trigger| reasons::after(trigger, veil))
                .collect(),
            protocol: clause,
            needs: seen.needs,
            reproduce: None,
            exemplars: seen.exemplars,
            closes: closes(finding, &exposure),
            exposure,
            id: finding.id.clone(),
        })
    }
}

/// Where it shows, as people say it: `Authorize answer, idTagInfo.status`.
pub(super) fn place(finding: &Finding, subject: Subject) -> String {
    let whole = match subject {
        Subject::Handshake => return "the candidate's handshake".to_owned(),
        Subject::Session => "session record".to_owned(),
        Subject::Command => format!("{} command", finding.action),
        Subject::Exchange => format!("{} answer", finding.action),
    };
    match finding.path.as_str() {
        "" => whole,
        path => format!("{whole}, {}", dotted(path)),
    }
}

/// Models whose chargers sent or got the same and never showed it.
fn not_on(matrix: &Matrix, finding: &Finding, subject: Subject) -> Vec<String> {
    let key = Matrix::key(subject, &finding.action);
    let cells = matrix.cells.get(&key).into_iter().flatten();
    cells
        .filter(|(model, seen)| {
            !model.is_empty() && seen.comparable() > 0 && !finding.models.contains(model)
        })
        .map(|(model, _)| crate::report::printable(model))
        .collect()
}

/// How often in each part of the recording.
fn trend(world: &World<'_>, finding: &str) -> Result<Vec<u64>, ReportError> {
    let Some((first, last)) = world.survey.window else {
        return Ok(Vec::new());
    };
    let part = (last - first) / BARS + 1;
    let mut parts = vec![0; BARS as usize];
    for (at, count) in world.ledger.sightings_over_time(finding, (first, part))? {
        if let Some(bar) = usize::try_from(at).ok().and_then(|at| parts.get_mut(at)) {
            *bar += count;
        }
    }
    Ok(parts)
}

/// What people said, without chargers' names in it.
pub(super) fn said(triage: Triage, veil: &Veil) -> Triage {
    Triage {
        at: veil.prose(&triage.at),
        reason: veil.prose(&triage.reason),
        until: triage.until.as_deref().map(|until| veil.prose(until)),
        ..triage
    }
}

/// What would close it: so many further ones without it that it would have been seen, and the replay of its bundle.
fn closes(finding: &Finding, exposure: &Exposure) -> String {
    let enough = (3 * exposure.of).div_ceil(exposure.count.max(1));
    let enough = enough.clamp(PROOF.0, PROOF.1);
    let left = enough.saturating_sub(finding.without);
    let more = if left == 0 {
        format!(
            "It has not been seen in the last {}",
            grouped(finding.without)
        )
    } else {
        format!("It must not be seen in {} more", grouped(left))
    };
    let replay = if finding.action == SESSION {
        "; what a build books shows only in the books of sessions that it has taken part in"
    } else {
        ", and a replay of it must say FIXED"
    };
    format!("{more} {} on one build{replay}.", exposure.unit)
}

impl Exposure {
    fn of(finding: &Finding) -> Self {
        let (count, of) = (finding.count, finding.exposure.of);
        let unit = match finding.exposure.unit.as_str() {
            "exchanges" | "commands" if !finding.action.is_empty() => finding.action.clone(),
            unit => unit.to_owned(),
        };
        let bound =
            (count <= of && of > 0).then(|| (bound::exact(count, of, ALPHA) * 1e6).round() / 1e6);
        let on = counted(finding.chargers.len() as u64, "charger");
        let says = match bound {
            Some(bound) => format!(
                "{} of {} {unit} ({}; at most {} with 95 % confidence), on {on}",
                grouped(count),
                grouped(of),
                percent(count as f64 / of as f64),
                percent(bound),
            ),
            None => format!(
                "{} times in {} {unit}, on {on}",
                grouped(count),
                grouped(of)
            ),
        };
        Self {
            count,
            of,
            unit,
            bound,
            says,
        }
    }
}
