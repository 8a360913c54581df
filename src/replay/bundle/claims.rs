//! Whether a bundle is what it claims to be, without a target and without the recording that it was cut from.

use super::Bundle;
use crate::facts::Leg;
use crate::judge::Rules;
use crate::replay::recorded::{shows, tell};
use crate::replay::verdict::{Verdict, weigh};

/// What a bundle claims and does not hold, in sentences; empty if nothing is wrong with it.
///
/// It must show its finding as it was recorded, and not if the candidate answers as legacy did; it must name what a target
/// has to know; and no message of it can be left out, unless a live target had its say about that.
pub fn unkept(bundle: &Bundle, rules: &Rules) -> Vec<String> {
    let mut unkept = Vec::new();
    // Behind pseudonyms a finding may have another id: that it differs from legacy is what counts.
    let came = weigh(bundle, &tell(bundle, Leg::Candidate), rules);
    if came.verdict != Verdict::StillDiverges {
        unkept.push("what it holds does not show its finding".to_owned());
        return unkept;
    }
    if shows(bundle, rules, Leg::Legacy) {
        unkept.push(
            "it shows its finding just as well if the candidate answers as legacy does".to_owned(),
        );
    }
    let all: Vec<usize> = (0..bundle.steps.len()).collect();
    if bundle.keeping(&all).needs != bundle.needs {
        unkept.push("a target has to know other things than it says".to_owned());
    }
    if bundle
        .shrunk
        .against
        .iter()
        .all(|it| it == super::extract::RECORDING)
        && let Some(step) = needless(bundle, rules)
    {
        unkept.push(format!(
            "step {step} can be left out, and its finding still shows"
        ));
    }
    unkept
}

/// The first step without which the finding shows all the same.
fn needless(bundle: &Bundle, rules: &Rules) -> Option<usize> {
    let without =
        |out: usize| -> Vec<usize> { (0..bundle.steps.len()).filter(|at| *at != out).collect() };
    let found = (0..bundle.steps.len()).find(|out| {
        let kept = without(*out);
        bundle.is_whole(&kept) && shows(&bundle.keeping(&kept), rules, Leg::Candidate)
    });
    found.map(|at| at + 1)
}
