//! Coverage as text: parity on a part is parity of that part.

use std::fmt::Write as _;

use crate::ledger::views::coverage::permille;
use crate::ledger::views::{Coverage, Share};

/// Actions, models and chargers with the least coverage that are listed, each.
const LISTED: usize = 3;

/// One line, and the few worst of each kind where not all was compared.
pub(super) fn shown(coverage: &Coverage) -> String {
    let mut out = format!(
        "coverage   {} of {} charger messages compared{}",
        coverage.comparable,
        coverage.all,
        percent(", ", coverage.permille),
    );
    let matching = permille(coverage.matching, coverage.comparable);
    let _ = writeln!(out, "{}", percent("; of those match ", matching));
    for (kind, shares) in [
        ("action", &coverage.by_action),
        ("model", &coverage.by_model),
        ("charger", &coverage.by_charger),
    ] {
        if shares.len() > 1 || kind == "action" {
            least(&mut out, kind, shares);
        }
    }
    out
}

fn least(out: &mut String, kind: &str, shares: &[Share]) {
    let mut part: Vec<&Share> = shares
        .iter()
        .filter(|share| share.comparable < share.all)
        .collect();
    part.sort_by_key(|share| share.permille);
    for share in part.iter().take(LISTED) {
        let reasons: Vec<_> = (share.not_comparable.iter())
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        let name = match share.name.as_str() {
            "" => "(unknown)".to_owned(),
            name => super::super::printable(name),
        };
        let _ = writeln!(
            out,
            "           {kind} {name}: {} of {}{} ({})",
            share.comparable,
            share.all,
            percent(", ", share.permille),
            reasons.join(", "),
        );
    }
    if part.len() > LISTED {
        let more = super::counted(part.len() - LISTED, kind);
        let _ = writeln!(out, "           and {more} more, in --json");
    }
}

/// Thousandths as a percentage with one decimal; nothing for none.
fn percent(before: &str, permille: Option<u64>) -> String {
    permille.map_or_else(String::new, |permille| {
        format!("{before}{}.{} %", permille / 10, permille % 10)
    })
}
