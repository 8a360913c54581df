//! The listed sessions as CSV, for spreadsheets. It goes to a file of the operator's: nothing is masked in it.

use crate::ledger::sessions::{Account, View};

/// The first line.
const HEAD: &str = "session,charger,connector,start,state,outcome,reason,findings,wire_wh,legacy_wh,candidate_wh,\
    legacy_cost,candidate_cost,currency\n";

/// One line for each session.
pub(super) fn csv(sessions: &[View]) -> String {
    let mut text = HEAD.to_owned();
    for session in sessions {
        let verdict = &session.verdict;
        let (legacy, candidate) = (session.legacy.as_ref(), session.candidate.as_ref());
        let currency = [legacy, candidate]
            .into_iter()
            .flatten()
            .find_map(|it| it.currency.clone());
        let cells = [
            session.id.to_string(),
            session.charger.clone(),
            session.connector.clone(),
            session.at.clone(),
            session.state.clone(),
            verdict.outcome.to_owned(),
            verdict.reason.unwrap_or_default().to_owned(),
            verdict.findings.join(" "),
            energy(session.wire.as_ref()),
            energy(legacy),
            energy(candidate),
            cost(legacy),
            cost(candidate),
            currency.unwrap_or_default(),
        ];
        text += &cells.map(|cell| quoted(&cell)).join(",");
        text.push('\n');
    }
    text
}

fn energy(account: Option<&Account>) -> String {
    account
        .and_then(|account| account.energy_wh.clone())
        .unwrap_or_default()
}

/// With VAT where it is told.
pub(super) fn cost(account: Option<&Account>) -> String {
    let cost = account.and_then(|account| {
        account
            .incl_vat
            .clone()
            .or_else(|| account.excl_vat.clone())
    });
    cost.unwrap_or_default()
}

/// A cell that a spreadsheet neither breaks nor takes for a formula.
fn quoted(cell: &str) -> String {
    let formula =
        cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if formula {
        return format!("\"'{}\"", cell.replace('"', "\"\""));
    }
    if cell.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_a_line() {
        assert_eq!(quoted("-14"), "-14");
        assert_eq!(quoted("=cmd()"), "\"'=cmd()\"");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
