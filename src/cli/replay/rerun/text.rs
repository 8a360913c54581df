//! What came of a recording that was played once more, for people.

use std::fmt::Write as _;

use super::{OfTarget, Report};
use crate::cli::diffs::counted;
use crate::cli::printable;
use crate::replay::rerun::Second;

/// Seconds of a storm that are listed at most.
const LISTED: usize = 120;

pub(super) fn report(report: &Report, storm: bool) -> String {
    let mut text = format!(
        "{} of {}, {} of {} CALLs in {:.1} s, {:.0} a second\n",
        counted(report.chargers as usize, "charger"),
        printable(&report.recording),
        report.done,
        report.calls,
        report.seconds,
        report.done as f64 / report.seconds.max(1e-6),
    );
    if report.left_out > 0 {
        let what = counted(report.left_out as usize, "message");
        let _ = writeln!(
            text,
            "{what} of the recording cannot be said again: no CALL, or not readable"
        );
    }
    for target in &report.targets {
        of_target(target, storm, &mut text);
    }
    text
}

fn of_target(target: &OfTarget, storm: bool, text: &mut String) {
    let counts = &target.total.counts;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\n{}\n  connections  {} dialled: {} let in, {} refused, {} not reached; {} ended by the target\n  CALLs        \
         {} asked: {} answered, {} refused, {} not answered; {}\n  answers      {}\n  joining      {}",
        printable(&target.url),
        counts.dialled,
        counts.let_in,
        counts.refused,
        counts.unreached,
        counts.lost,
        counts.asked,
        counts.answered,
        counts.errors,
        counts.silent,
        counted(counts.commands as usize, "command"),
        times(target.total.took_us),
        times(target.total.joined_us),
    );
    if storm {
        seconds(&target.by_second, text);
    }
}

fn seconds(all: &[Second], text: &mut String) {
    let _ = writeln!(
        text,
        "\n  second  let in  refused  not reached  lost  answered  errors  not answered  joining p99  answers p99"
    );
    for second in all.iter().take(LISTED) {
        let counts = &second.counts;
        let _ = writeln!(
            text,
            "  {:>6}  {:>6}  {:>7}  {:>11}  {:>4}  {:>8}  {:>6}  {:>12}  {:>11}  {:>11}",
            second.second,
            counts.let_in,
            counts.refused,
            counts.unreached,
            counts.lost,
            counts.answered,
            counts.errors,
            counts.silent,
            millis(second.joined_us[2]),
            millis(second.took_us[2]),
        );
    }
    if all.len() > LISTED {
        let _ = writeln!(text, "  {} more; --json has all", all.len() - LISTED);
    }
}

fn times([half, most, nearly_all, longest]: [u64; 4]) -> String {
    format!(
        "half within {}, 95 % {}, 99 % {}, longest {}",
        millis(half),
        millis(most),
        millis(nearly_all),
        millis(longest)
    )
}

fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}
