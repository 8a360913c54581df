//! Bundles are proved before they leave: played over real sockets against a backend that answers as the candidate did,
//! and against one that answers as legacy did.

use super::bundle::{Bundle, extract};
use super::play::{Target, play};
use super::shrink::Shrinker;
use super::sim::scripted::Scripted;
use super::verdict::{Outcomes, Verdict, weigh};
use crate::facts::Leg;
use crate::judge::Rules;
use crate::live::Backend;
use crate::live::backend::BackendUrlError;
use crate::live::tls::TlsError;

/// The word for a series that was played against a live target.
const TARGET: &str = "target";

/// Why a bundle proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A simulated backend cannot be started.
    #[error("start a simulated backend: {0}")]
    Backend(#[from] std::io::Error),
    /// Its URL cannot be dialled.
    #[error(transparent)]
    Url(#[from] BackendUrlError),
    /// Certificates or keys cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It does not tell the backends apart when it is played.
    #[error("played against a backend that answers as {leg} did, it comes out as {}: {}", .came.verdict.word(), .came.says)]
    Unproved {
        /// Whose answers were given.
        leg: &'static str,
        /// What came out.
        came: Box<Outcomes>,
    },
    /// The target that it was to be shrunk against does not show it.
    #[error("the target does not show it: {}: {}", .0.verdict.word(), .0.says)]
    Unshown(Box<Outcomes>),
}

/// Plays a bundle against both scripted backends: it must diverge on the one and be fixed on the other.
pub async fn prove(bundle: &Bundle, rules: &Rules) -> Result<(), ProofError> {
    for (leg, expected) in [
        (Leg::Candidate, Verdict::StillDiverges),
        (Leg::Legacy, Verdict::Fixed),
    ] {
        let backend = Scripted::start(bundle, leg).await?;
        let target = Target::new(Backend::parse(&backend.url())?);
        let came = attempt(bundle, &target, rules).await?;
        if came.verdict != expected {
            let (leg, came) = (leg.word(), Box::new(came));
            return Err(ProofError::Unproved { leg, came });
        }
    }
    Ok(())
}

/// Plays a bundle and weighs what came of it.
pub async fn attempt(
    bundle: &Bundle,
    target: &Target,
    rules: &Rules,
) -> Result<Outcomes, TlsError> {
    let played = play(bundle, target).await?;
    Ok(weigh(bundle, &played, rules))
}

/// The smallest part of a series that a live target shows the finding with: the part that the recording decided on if that
/// is enough, else as much more as it takes. Each trial is played whole; the target keeps what it is told.
pub async fn shrink_against(
    whole: &Bundle,
    target: &Target,
    rules: &Rules,
) -> Result<Bundle, ProofError> {
    let mut start = extract::smallest(whole, rules).unwrap_or_else(|_| whole.clone());
    let mut came = attempt(&start, target, rules).await?;
    let mut tries = start.shrunk.tries + 1;
    if !shows(&start, &came) {
        start = whole.clone();
        came = attempt(&start, target, rules).await?;
        tries += 1;
    }
    if !shows(&start, &came) {
        return Err(ProofError::Unshown(Box::new(came)));
    }
    let mut search = Shrinker::new(start.steps.len());
    while let Some(trial) = search.trial() {
        let shown = start.is_whole(&trial) && {
            let part = start.keeping(&trial);
            let came = attempt(&part, target, rules).await?;
            shows(&part, &came)
        };
        search.tell(shown);
    }
    let mut bundle = start.keeping(search.kept());
    bundle.shrunk.tries = tries + search.tries();
    bundle.shrunk.against.push(TARGET.to_owned());
    Ok(bundle)
}

/// Whether the very finding was seen.
fn shows(bundle: &Bundle, came: &Outcomes) -> bool {
    let same = |it: &super::verdict::Differs| it.finding == bundle.finding.id;
    came.verdict == Verdict::StillDiverges && came.differs.iter().any(same)
}
