//! From a recording to a bundle: gathered, shrunk, and shown to tell the candidate from legacy.

use super::series::{Series, gather};
use super::{About, Bundle, BundleError, Needs, RuleFile, SCHEMA, Shrunk, file};
use crate::facts::{self, Leg};
use crate::judge::Rules;
use crate::ledger::query::{self, Finding};
use crate::ledger::row::Subject;
use crate::replay::recorded::shows;
use crate::replay::shrink::shrink;

/// The word for a series that was judged as it was recorded.
pub(super) const RECORDING: &str = "recording";

/// A recording, and the rules that it is judged by.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its facts.
    pub facts: &'a facts::Reader,
    /// Its ledger.
    pub ledger: &'a query::Reader,
    /// The rules.
    pub rules: &'a Rules,
    /// Those of them that are the operator's own, as files: name and text.
    pub files: &'a [(String, String)],
}

/// The bundle of a finding: the smallest series that shows it when both backends answer as they were recorded, and shows
/// nothing of it when the candidate answers as legacy did.
pub fn of_finding(source: &Source<'_>, id: &str) -> Result<Bundle, BundleError> {
    let finding = known(source, id)?;
    let mut lack = "it has no exemplar".to_owned();
    for seen in &finding.exemplars {
        match whole(source, &finding, *seen)?.and_then(|whole| smallest(&whole, source.rules)) {
            Ok(bundle) => return Ok(bundle),
            Err(why) => lack = why,
        }
    }
    Err(unshown(&finding, lack))
}

/// All that the recording has up to the first place where a finding can be cut out: where the recording alone does not
/// decide what a series shows, a target may.
pub fn unshrunk(source: &Source<'_>, id: &str) -> Result<Bundle, BundleError> {
    let finding = known(source, id)?;
    let mut lack = "it has no exemplar".to_owned();
    for seen in &finding.exemplars {
        match whole(source, &finding, *seen)? {
            Ok(bundle) => return Ok(bundle),
            Err(why) => lack = why,
        }
    }
    Err(unshown(&finding, lack))
}

fn unshown(finding: &Finding, why: String) -> BundleError {
    BundleError::Unshown {
        finding: finding.id.clone(),
        why,
    }
}

fn known(source: &Source<'_>, id: &str) -> Result<Finding, BundleError> {
    let finding = source.ledger.finding(id)?;
    let finding = finding.ok_or_else(|| BundleError::NoFinding(id.to_owned()))?;
    if finding.subject == Subject::Session {
        return Err(BundleError::Books(finding.id));
    }
    Ok(finding)
}

/// A bundle of every step up to one place where the finding was seen; or what is missing there.
fn whole(
    source: &Source<'_>,
    finding: &Finding,
    seen: u64,
) -> Result<Result<Bundle, String>, BundleError> {
    let series = match gather(source, finding, seen)? {
        Ok(series) => series,
        Err(why) => return Ok(Err(why)),
    };
    let bundle = bundle(source, finding, series);
    let places: Vec<usize> = (0..bundle.steps.len()).collect();
    Ok(Ok(bundle.keeping(&places)))
}

fn bundle(source: &Source<'_>, finding: &Finding, series: Series) -> Bundle {
    let rules = source.files.iter().map(|(name, text)| RuleFile {
        name: name.clone(),
        text: text.clone(),
    });
    Bundle {
        schema: SCHEMA.to_owned(),
        finding: About {
            id: finding.id.clone(),
            subject: finding.subject,
            severity: finding.severity,
            action: finding.action.clone(),
            path: finding.path.clone(),
            kind: finding.kind.clone(),
            rule: finding.rule.clone(),
            reason: finding.reason.clone(),
            legacy: finding.legacy.clone(),
            candidate: finding.candidate.clone(),
            title: finding.title.clone(),
            models: finding.models.clone(),
        },
        charger: series.charger,
        began: file::rfc3339(series.began),
        needs: Needs::default(),
        handshake: series.handshake,
        shrunk: Shrunk {
            from: series.steps.len() as u32,
            tries: 0,
            against: Vec::new(),
        },
        steps: series.steps,
        asserts: series.asserts,
        rules: rules.collect(),
    }
}

/// The smallest part of a bundle that shows its finding as it was recorded; or why no part does.
pub fn smallest(whole: &Bundle, rules: &Rules) -> Result<Bundle, String> {
    let start = whole.closure();
    let start = if shows(&whole.keeping(&start), rules, Leg::Candidate) {
        start
    } else {
        (0..whole.steps.len()).collect()
    };
    let begin = whole.keeping(&start);
    if !shows(&begin, rules, Leg::Candidate) {
        return Err("what both backends answered does not show it by itself".to_owned());
    }
    let found = shrink(begin.steps.len(), |kept| {
        begin.is_whole(kept) && shows(&begin.keeping(kept), rules, Leg::Candidate)
    });
    let mut bundle = begin.keeping(found.kept());
    bundle.shrunk.tries = found.tries() + 1;
    bundle.shrunk.against = vec![RECORDING.to_owned()];
    if shows(&bundle, rules, Leg::Legacy) {
        return Err(
            "it would show just as well if the candidate answered as legacy does".to_owned(),
        );
    }
    Ok(bundle)
}

impl Bundle {
    /// Whether some of the steps, by their places, lack nothing that they name.
    pub fn is_whole(&self, kept: &[usize]) -> bool {
        let ties = super::ties::of(self);
        let has = |at: &usize| kept.contains(at);
        let asserted = self
            .steps
            .iter()
            .position(|step| step.step == self.asserts.step);
        asserted.is_none_or(|at| has(&at)) && kept.iter().all(|at| ties[*at].iter().all(has))
    }
}
