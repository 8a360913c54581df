//! The migration map as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cli::printable;
use crate::estate::map::{Map, Pilot, Segment};

/// Quiet chargers that are named.
const NAMED: usize = 20;

/// The whole map.
pub(super) fn summary(map: &Map) -> String {
    let mut out = format!("{} chargers, {} of them seen\n", map.chargers, map.seen);
    out.push_str("groups\n");
    for it in &map.groups {
        let wave = if it.wave.is_empty() {
            "no wave".to_owned()
        } else {
            format!("wave {} on {}", printable(&it.wave), it.date)
        };
        let group = printable(&it.group);
        let _ = writeln!(
            out,
            "  {group:<28} {:>5} chargers, {:>5} seen   {wave}",
            it.chargers, it.seen
        );
    }
    let by: Vec<&str> = map.by.iter().map(|it| it.word()).collect();
    let _ = writeln!(out, "by {}", by.join(", "));
    map.segments.iter().for_each(|it| segment(&mut out, it));
    quiet(&mut out, map);
    vendor(&mut out, map);
    hidden(&mut out, map);
    match &map.pilot {
        Some(pilot) => represented(&mut out, pilot),
        None => out.push_str("no pilot: name one with --pilot, or plan a wave\n"),
    }
    let _ = writeln!(out, "digest {}", map.digest);
    out
}

/// The checklist alone.
pub(super) fn decommission(map: &Map) -> String {
    let mut out = String::new();
    for check in &map.decommission {
        let _ = writeln!(
            out,
            "{:<9} {}: {}",
            check.state.word(),
            check.what,
            printable(&check.because)
        );
    }
    out
}

fn segment(out: &mut String, it: &Segment) {
    let of: Vec<&str> = it
        .of
        .iter()
        .map(|of| if of.is_empty() { "unknown" } else { of })
        .collect();
    let of = printable(&of.join(", "));
    let _ = writeln!(
        out,
        "  {of:<28} {:>5} chargers, {:>5} seen",
        it.chargers, it.seen
    );
    counts(out, "says", &it.actions);
    let quirks: Vec<String> = it
        .quirks
        .iter()
        .map(|(name, count)| format!("{name} ({count} chargers)"))
        .collect();
    if !quirks.is_empty() {
        let _ = writeln!(out, "      odd: {}", quirks.join("; "));
    }
}

fn counts(out: &mut String, head: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let said: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{} {count}", printable(name)))
        .collect();
    let _ = writeln!(out, "      {head}: {}", said.join(", "));
}

fn quiet(out: &mut String, map: &Map) {
    if map.quiet.is_empty() {
        return;
    }
    let _ = writeln!(out, "quiet {}", map.quiet.len());
    for it in map.quiet.iter().take(NAMED) {
        let last = it
            .last_seen
            .as_ref()
            .map_or("never seen".to_owned(), |at| format!("since {at}"));
        let _ = writeln!(out, "  {:<28} {last}", printable(&it.charger));
    }
    if map.quiet.len() > NAMED {
        let _ = writeln!(
            out,
            "  and {} more (--json names them)",
            map.quiet.len() - NAMED
        );
    }
}

fn vendor(out: &mut String, map: &Map) {
    if map.vendor.is_empty() {
        return;
    }
    out.push_str("vendor messages in use\n");
    for it in &map.vendor {
        let name = printable(&format!("{} {}", it.vendor, it.message));
        let _ = writeln!(
            out,
            "  {name:<28} {:>5} by the {}, {} chargers",
            it.count, it.sender, it.chargers
        );
    }
    if !map.vendor_findings.is_empty() {
        let _ = writeln!(
            out,
            "  the candidate takes some otherwise: {}",
            map.vendor_findings.join(", ")
        );
    }
}

fn hidden(out: &mut String, map: &Map) {
    if map.legacy_only.is_empty() && map.depends.is_empty() {
        return;
    }
    out.push_str("only the legacy\n");
    for it in &map.legacy_only {
        let _ = writeln!(
            out,
            "  sends {:<22} {:>5} of {} without the candidate, {} chargers, {} by schedule or hand",
            printable(&it.action),
            it.missing,
            it.of,
            it.chargers,
            it.unprompted
        );
    }
    for (name, count) in &map.depends {
        let _ = writeln!(
            out,
            "  {:<28} {count:>5} chargers, by your list",
            printable(name)
        );
    }
}

fn represented(out: &mut String, pilot: &Pilot) {
    let _ = writeln!(
        out,
        "pilot {}: {} chargers, stands for {} of {} by model and firmware",
        printable(&pilot.groups.join(", ")),
        pilot.chargers,
        pilot.represented,
        pilot.of
    );
    counts(out, "models it lacks", &pilot.models);
    counts(out, "firmware it lacks", &pilot.firmware);
    counts(out, "versions it lacks", &pilot.versions);
    counts(out, "not exercised", &pilot.actions);
}
