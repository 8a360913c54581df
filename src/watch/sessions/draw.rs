//! The screen of sessions: list above, sums and the selected session below.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};
use rust_decimal::Decimal;

use super::export::cost;
use super::{Data, Sessions, Sight};
use crate::ledger::Mark;
use crate::ledger::sessions::{Account, Side, Totals, View};
use crate::report::Comparison;
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::side_by_side;
use crate::watch::table::{self, Cell, Column, number, text, toned, wide};
use crate::watch::text::{grouped, shown, span};
use crate::watch::theme::{Tone, tone_of};

/// The columns; what the middle ones tell is a matter of [`Sight`].
pub(super) const COLUMNS: &[Column] = &[
    text("SESSION", 8, 0, "session"),
    text("CHARGER", 12, 1, "charger"),
    text("C", 3, 7, ""),
    text("START", 11, 2, ""),
    text("DUR", 6, 5, ""),
    number("WIRE", 8, 0, ""),
    number("LEGACY", 8, 0, ""),
    number("CAND", 8, 0, ""),
    number("DIFF", 6, 3, ""),
    text("STATE", 8, 8, "state"),
    wide("PARITY", 13, 0, "outcome"),
];

/// A day, µs: more than that two ends do not differ by in a way that a column can tell.
const DAY_US: i64 = 86_400_000_000;

pub(super) fn draw(sessions: &Sessions, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    if look.expanded {
        match look.focus {
            1 => sums(sessions, frame, area, look),
            2 => selected(sessions, frame, area, look),
            _ => list(sessions, frame, area, look),
        }
        return;
    }
    if look.room == Room::Wide {
        let rows = sessions.total().min(200) as u16 + 3;
        let upper = rows.clamp(6, (area.height / 2).max(6));
        let [above, below] =
            Layout::vertical([Constraint::Length(upper), Constraint::Min(0)]).areas(area);
        let sums = sums_width(sessions.data()).max(46).min(area.width / 2);
        let [left, right] =
            Layout::horizontal([Constraint::Length(sums), Constraint::Min(0)]).areas(below);
        list(sessions, frame, above, look);
        self::sums(sessions, frame, left, look);
        selected(sessions, frame, right, look);
        return;
    }
    if look.room <= Room::Small && look.focus == 0 {
        list(sessions, frame, area, look);
        return;
    }
    let below = if look.focus == 2 {
        area.height * 2 / 3
    } else {
        9
    };
    let [above, below] = Layout::vertical([
        Constraint::Min(4),
        Constraint::Length(below.min(area.height.saturating_sub(4))),
    ])
    .areas(area);
    list(sessions, frame, above, look);
    if look.focus == 2 {
        selected(sessions, frame, below, look);
    } else {
        sums(sessions, frame, below, look);
    }
}

fn list(sessions: &Sessions, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let title = sessions.data().map_or_else(
        || "SESSIONS AND CDR".to_owned(),
        |data| {
            format!(
                "SESSIONS AND CDR {} of {}",
                grouped(data.page.total),
                grouped(data.all)
            )
        },
    );
    let inside = pane::boxed(
        frame,
        area,
        (&title, sessions.sight.unit()),
        look.focus == 0,
        look,
    );
    if pane::absent(frame, inside, &sessions.known, look) {
        return;
    }
    let Some(data) = sessions.data() else { return };
    if data.page.total == 0 {
        pane::prose(frame, inside, nothing(sessions, data));
        return;
    }
    let (listed, first) = sessions.listed();
    if sessions.selected().is_none() {
        pane::prose(frame, inside, "Reading the sessions ...");
        return;
    }
    let rows: Vec<Vec<Cell<'_>>> = listed
        .iter()
        .map(|session| row(session, sessions.sight, look))
        .collect();
    table::draw(
        frame,
        inside,
        COLUMNS,
        (first, &rows),
        Some(sessions.cursor),
        look,
    );
}

/// Why the list is empty, and which key helps.
fn nothing(sessions: &Sessions, data: &Data) -> &'static str {
    match (data.all, sessions.divergent, sessions.sieve.text()) {
        (0, ..) => {
            "No session yet. The first StartTransaction or TransactionEvent of a charger begins one; 5 shows what comes in."
        }
        (_, true, "") => "No session differs. o lists all of them.",
        (_, true, _) => {
            "No session that differs fits the filter. o lists all, Esc clears the filter."
        }
        _ => "No session fits the filter. Esc clears it, f picks a saved one.",
    }
}

fn row<'a>(session: &'a View, sight: Sight, look: &Look<'_>) -> Vec<Cell<'a>> {
    let mark = Mark::of(session.verdict.outcome);
    let [wire, legacy, candidate] = [&session.wire, &session.legacy, &session.candidate];
    let tell = |account: &Option<Account>| sight.tell(account.as_ref(), look);
    let charger = match session.charger.as_str() {
        "" => toned("(none)", Tone::Dim),
        charger => look.mask.charger(charger).into(),
    };
    vec![
        session.id.to_string().into(),
        charger,
        shown(&session.connector).into(),
        began(session, look).into(),
        lasted(session).into(),
        tell(wire).into(),
        tell(legacy).into(),
        tell(candidate).into(),
        sight.difference(legacy.as_ref(), candidate.as_ref()).into(),
        shown(&session.state).into(),
        toned(parity(session, mark), tone_of(mark.char())),
    ]
}

/// The mark with the findings, the reason or the word.
fn parity(session: &View, mark: Mark) -> String {
    let verdict = &session.verdict;
    let says = match (verdict.findings.as_slice(), verdict.reason, verdict.outcome) {
        ([_, ..], ..) => verdict.findings.join(" "),
        ([], Some(reason), _) => reason.to_owned(),
        ([], None, "equal") => String::new(),
        ([], None, "pending") if session.state == "open" => "live".to_owned(),
        ([], None, "pending") => "records due".to_owned(),
        ([], None, outcome) => outcome.to_owned(),
    };
    format!("{} {says}", mark.char())
}

fn micros(at: Option<&String>) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(at?).ok()?;
    Some(at.timestamp_micros())
}

fn began(session: &View, look: &Look<'_>) -> String {
    let at = session
        .wire
        .as_ref()
        .and_then(|wire| micros(wire.start.as_ref()));
    let at = at.or_else(|| micros(Some(&session.at)));
    at.map_or_else(String::new, |at| look.zone.day(at))
}

fn lasted(session: &View) -> String {
    let ends = session
        .wire
        .as_ref()
        .and_then(|wire| Some((micros(wire.start.as_ref())?, micros(wire.end.as_ref())?)));
    match ends {
        Some((start, end)) => span(end - start),
        None if session.state == "open" => "open".to_owned(),
        None => "-".to_owned(),
    }
}

impl Sight {
    /// What its numbers are.
    const fn unit(self) -> &'static str {
        match self {
            Self::Energy => "Wh",
            Self::Money => "cost",
            Self::Times => "end",
        }
    }

    /// One party's number.
    fn tell(self, account: Option<&Account>, look: &Look<'_>) -> String {
        let Some(account) = account else {
            return "-".to_owned();
        };
        let said = match self {
            Self::Energy => account.energy_wh.as_deref().map(thousands),
            Self::Money => Some(cost(Some(account))).filter(|cost| !cost.is_empty()),
            Self::Times => micros(account.end.as_ref()).map(|at| look.zone.clock(at)),
        };
        said.unwrap_or_else(|| "?".to_owned())
    }

    /// How much more the candidate has than legacy.
    fn difference(self, legacy: Option<&Account>, candidate: Option<&Account>) -> String {
        let number = |account: Option<&Account>| -> Option<Decimal> {
            match self {
                Self::Energy => account?.energy_wh.as_deref()?.parse().ok(),
                Self::Money => cost(account).parse().ok(),
                Self::Times => Some(Decimal::from(micros(account?.end.as_ref())?)),
            }
        };
        let Some((ours, theirs)) = number(legacy).zip(number(candidate)) else {
            return "-".to_owned();
        };
        let difference = theirs - ours;
        match self {
            Self::Times => {
                let us = i64::try_from(difference).unwrap_or(DAY_US);
                let sign = if us < 0 { "-" } else { "" };
                format!("{sign}{}", span(us.abs()))
            }
            _ => difference.normalize().to_string(),
        }
    }
}

/// A number with its thousands set apart; as it is if it is none.
fn thousands(number: &str) -> String {
    let (whole, fraction) = number
        .split_once('.')
        .map_or((number, ""), |(whole, fraction)| (whole, fraction));
    match whole.parse() {
        Ok(count) if fraction.is_empty() => grouped(count),
        Ok(count) => format!("{}.{fraction}", grouped(count)),
        Err(_) => shown(number).into_owned(),
    }
}

/// One line of the books: both sides and how much they differ.
struct Sum {
    name: String,
    sides: [String; 3],
    is_same: bool,
}

impl Sum {
    fn of_counts(name: &str, (legacy, candidate): (u64, u64)) -> Self {
        let differ = legacy.abs_diff(candidate);
        Self {
            name: name.to_owned(),
            sides: [legacy, candidate, differ].map(grouped),
            is_same: differ == 0,
        }
    }

    /// The difference is told to so many decimals: more only where it would look like none.
    fn of_amounts(name: String, (legacy, candidate): (Decimal, Decimal), decimals: u32) -> Self {
        let differ = candidate - legacy;
        let shown = match differ.round_dp(decimals) {
            rounded if rounded.is_zero() => differ.round_dp(2 * decimals),
            rounded => rounded,
        };
        let sides = [legacy.round_dp(2), candidate.round_dp(2), shown.normalize()];
        Self {
            name,
            sides: sides.map(|amount| thousands(&amount.to_string())),
            is_same: differ.is_zero(),
        }
    }
}

/// Heads of the sums' columns, and how wide these are at least.
const SIDES: [(&str, usize); 3] = [("legacy", 9), ("candidate", 11), ("differ", 8)];

/// How wide the sums' first column is.
const NAME: usize = 13;

fn sums_of(totals: &Totals) -> Vec<Sum> {
    let (legacy, candidate) = (&totals.legacy, &totals.candidate);
    let counts = [
        ("started", legacy.started, candidate.started),
        ("closed", legacy.closed, candidate.closed),
        ("CDR received", legacy.records, candidate.records),
        ("left open", legacy.left_open, candidate.left_open),
        ("missing", legacy.missing, candidate.missing),
    ];
    let counts = counts.map(|(name, legacy, candidate)| Sum::of_counts(name, (legacy, candidate)));
    let kwh = |side: &Side| side.energy_wh / Decimal::from(1_000);
    let energy = Sum::of_amounts("energy kWh".to_owned(), (kwh(legacy), kwh(candidate)), 3);
    let currencies: BTreeSet<&String> = legacy.cost.keys().chain(candidate.cost.keys()).collect();
    let costs = currencies.into_iter().map(|currency| {
        let of = |side: &Side| side.cost.get(currency).copied().unwrap_or_default();
        let name = format!("cost {}", shown(currency));
        Sum::of_amounts(name, (of(legacy), of(candidate)), 2)
    });
    counts.into_iter().chain([energy]).chain(costs).collect()
}

/// How wide each side's column is: as wide as its longest number and a space.
fn widths(sums: &[Sum]) -> [usize; 3] {
    [0, 1, 2].map(|at| {
        let longest = sums.iter().map(|sum| sum.sides[at].len() + 1).max();
        longest.unwrap_or_default().max(SIDES[at].1)
    })
}

/// How wide a pane must be for the sums.
fn sums_width(data: Option<&Data>) -> u16 {
    let sums = data.map_or_else(Vec::new, |data| sums_of(&data.totals));
    let sides: usize = widths(&sums).iter().sum();
    (NAME + sides + 5) as u16
}

fn sum_lines(sums: &[Sum], look: &Look<'_>) -> Vec<Line<'static>> {
    let widths = widths(sums);
    let row = |name: &str, sides: [&str; 3]| {
        let mut text = format!("{name:<NAME$}");
        for (side, width) in sides.into_iter().zip(widths) {
            // Writing into a string cannot fail.
            let _ = write!(text, "{side:>width$}");
        }
        text
    };
    let head = row("", SIDES.map(|(head, _)| head));
    let mut lines = vec![Line::styled(head, look.theme.style(Tone::Dim))];
    for sum in sums {
        let (mark, tone) = if sum.is_same {
            ('=', Tone::Plain)
        } else {
            ('x', Tone::Bad)
        };
        let text = row(&sum.name, sum.sides.each_ref().map(String::as_str));
        lines.push(Line::styled(
            format!("{text} {mark}"),
            look.theme.style(tone),
        ));
    }
    lines
}

/// What both sides' books come to.
fn sums(sessions: &Sessions, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(frame, area, ("RECONCILIATION", ""), look.focus == 1, look);
    let Some(data) = sessions.data() else { return };
    let totals = &data.totals;
    let mut lines = sum_lines(&sums_of(totals), look);
    lines.push(Line::raw(""));
    let missing: u64 = totals.not_comparable.values().sum();
    let mut says = format!("{} pending, {missing} not comparable", totals.pending);
    for (reason, count) in &totals.not_comparable {
        let _ = write!(says, "; {reason} {count}");
    }
    lines.extend(pane::broken(
        &says,
        inside.width,
        look.theme.style(Tone::Plain),
    ));
    if totals.more {
        let says = format!("of the last {} sessions", grouped(totals.sessions));
        lines.push(Line::styled(says, look.theme.style(Tone::Warn)));
    }
    if totals.legacy.records + totals.candidate.records == 0 && totals.sessions > 0 {
        let says = "No backend's records are read: only the wire is known. `readers` in evenkeel.toml names them.";
        lines.extend(pane::broken(
            says,
            inside.width,
            look.theme.style(Tone::Dim),
        ));
    }
    frame.render_widget(Text::from(lines), inside);
}

fn selected(sessions: &Sessions, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let session = sessions.selected();
    let title = session.map_or_else(
        || "SELECTED".to_owned(),
        |session| format!("SESSION {}", session.id),
    );
    let inside = pane::boxed(frame, area, (&title, "three-way"), look.focus == 2, look);
    let Some(session) = session else { return };
    let names = |names: &[String]| match names {
        [] => "-".to_owned(),
        names => shown(&names.join(" ")).into_owned(),
    };
    let head = format!(
        "{} connector {}  {}  transaction {} on legacy, {} on candidate  {}",
        look.mask.charger(&session.charger),
        shown(&session.connector),
        look.mask.tag(&session.token),
        names(&session.names.legacy),
        names(&session.names.candidate),
        session.state,
    );
    let mut lines = pane::broken(&head, inside.width, look.theme.style(Tone::Dim));
    let comparison = Comparison::of_session(session);
    if comparison
        .sections
        .iter()
        .all(|section| section.rows.is_empty())
    {
        let says = match session.verdict.outcome {
            "pending" => "Not compared yet: it is open, or records are awaited.",
            _ => "Nothing could be compared.",
        };
        lines.extend(pane::broken(
            says,
            inside.width,
            look.theme.style(Tone::Plain),
        ));
    }
    let fold = side_by_side::Fold {
        unfolded: true,
        ..sessions.fold
    };
    lines.extend(side_by_side::lines(&comparison, inside.width, fold, look));
    if !session.defects.is_empty() {
        let says = format!("odd on the wire: {}", session.defects.join(", "));
        lines.extend(pane::broken(
            &says,
            inside.width,
            look.theme.style(Tone::Warn),
        ));
    }
    for (who, account) in [
        ("wire", &session.wire),
        ("legacy", &session.legacy),
        ("candidate", &session.candidate),
    ] {
        for note in account.iter().flat_map(|account| &account.notes) {
            let says = format!("{who}: {}", look.mask.text(note));
            lines.extend(pane::broken(
                &says,
                inside.width,
                look.theme.style(Tone::Dim),
            ));
        }
    }
    pane::scrolled(frame, inside, lines, sessions.scroll);
}
