//! What was judged of one charger around a fact, in the order of the tap: the steps of a ladder.
//!
//! Nothing indexes exchanges by charger: an index would cost every exchange of a long night more than a view may. A
//! ladder is looked for within [`REACH`] facts on either side, which is hours of a busy tap and a fraction of a second.

use rusqlite::params;

use super::super::LedgerError;
use super::super::row::Subject;
use super::{Reader, count};
use crate::clock::Micros;
use crate::ocpp::Severity;

/// How many facts on either side are looked through.
pub const REACH: u64 = 1_000_000;

/// One exchange, command or handshake of a charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub subject: Subject,
    /// The fact that began it.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// Connection epoch.
    pub conn: u64,
    /// The action; empty for handshakes.
    pub action: String,
    /// The authority's name.
    pub authority: String,
    /// Word of the outcome.
    pub outcome: String,
    /// Why it is not comparable; empty if it is.
    pub reason: String,
    /// Of commands what came out, of handshakes what happened, of exchanges the rules that explained a difference.
    pub detail: String,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// Facts that hold the texts: the charger's CALL, the authority's and the shadow's side. 0 where there is none.
    pub facts: [u64; 3],
    /// The fact with which it went to the shadow; 0 if it did not.
    pub sent: u64,
    /// Answer times of authority and shadow, µs; of commands how much later the shadow's came.
    pub answered_us: [Option<i64>; 2],
    /// How long the copy waited in the tap, µs.
    pub queue_us: Option<i64>,
    /// Findings that it belongs to.
    pub findings: Vec<String>,
}

/// Each table as the same columns. What stands for `{}` is the range of facts and the charger.
const TABLES: [(&str, Subject); 3] = [
    (
        "SELECT id, at, conn, action, authority, outcome, coalesce(reason, ''), rules, severity, \
            CASE coalesce(reason, '') WHEN 'synthetic' THEN 0 ELSE id END, answer, shadow, sent, authority_us, shadow_us, queue_us \
         FROM exchanges WHERE ",
        Subject::Exchange,
    ),
    (
        "SELECT id, at, conn, action, authority, outcome, coalesce(reason, ''), verdict, severity, \
            0, ours, theirs, 0, NULL, lag_us, NULL FROM commands WHERE ",
        Subject::Command,
    ),
    (
        "SELECT id, at, conn, '', authority, outcome, coalesce(reason, ''), why, severity, \
            0, 0, id, 0, NULL, NULL, NULL FROM handshakes WHERE ",
        Subject::Handshake,
    ),
];

impl Reader {
    /// What was judged of `charger` around the fact `around`: up to `before` that began before it, and up to `after` that
    /// began there or later. In the order of the tap.
    pub fn around(
        &self,
        charger: &str,
        around: u64,
        (before, after): (usize, usize),
    ) -> Result<Vec<Item>, LedgerError> {
        let mut earlier = Vec::new();
        let mut later = Vec::new();
        for (select, subject) in TABLES {
            let past = "id < ?1 AND id >= ?2 AND charger = ?3 ORDER BY id DESC LIMIT ?4";
            let reach = (around.saturating_sub(REACH), before);
            self.items(
                &format!("{select}{past}"),
                subject,
                charger,
                around,
                reach,
                &mut earlier,
            )?;
            let coming = "id >= ?1 AND id < ?2 AND charger = ?3 ORDER BY id LIMIT ?4";
            let reach = (around.saturating_add(REACH), after);
            self.items(
                &format!("{select}{coming}"),
                subject,
                charger,
                around,
                reach,
                &mut later,
            )?;
        }
        earlier.sort_by_key(|item| item.id);
        earlier.drain(..earlier.len().saturating_sub(before));
        later.sort_by_key(|item| item.id);
        later.truncate(after);
        earlier.append(&mut later);
        for item in &mut earlier {
            if item.outcome == "divergent" {
                item.findings = self.findings_of(item.subject, item.id)?;
            }
        }
        Ok(earlier)
    }

    fn items(
        &self,
        sql: &str,
        subject: Subject,
        charger: &str,
        around: u64,
        (reach, most): (u64, usize),
        found: &mut Vec<Item>,
    ) -> Result<(), LedgerError> {
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        self.each(
            sql,
            params![number(around), number(reach), charger, most as i64],
            |row| {
                found.push(Item {
                    subject,
                    id: count(row, 0)?,
                    at: row.get(1)?,
                    conn: count(row, 2)?,
                    action: row.get(3)?,
                    authority: row.get(4)?,
                    outcome: row.get(5)?,
                    reason: row.get(6)?,
                    detail: row.get(7)?,
                    severity: row.get::<_, Option<u8>>(8)?.and_then(severity),
                    facts: [count(row, 9)?, count(row, 10)?, count(row, 11)?],
                    sent: count(row, 12)?,
                    answered_us: [row.get(13)?, row.get(14)?],
                    queue_us: row.get(15)?,
                    findings: Vec::new(),
                });
                Ok(())
            },
        )
    }

    /// Findings that one exchange, command, handshake or session shows.
    pub fn findings_of(&self, subject: Subject, id: u64) -> Result<Vec<String>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT DISTINCT finding FROM divergences WHERE id = ?1 AND subject = ?2 ORDER BY finding",
            params![id as i64, subject.word()],
            |row| {
                found.push(row.get(0)?);
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// What a finding was seen in, counted from its first sighting (0).
    pub fn exemplar(
        &self,
        finding: &str,
        number: u64,
    ) -> Result<Option<(Subject, u64)>, LedgerError> {
        let mut found = None;
        self.each(
            "SELECT subject, id FROM divergences WHERE finding = ?1 ORDER BY number LIMIT 1 OFFSET ?2",
            params![finding, i64::try_from(number).unwrap_or(i64::MAX)],
            |row| {
                let subject: String = row.get(0)?;
                found = Some((subject_of(&subject), count(row, 1)?));
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The charger of an exchange, command, handshake or session; none if there is no such thing.
    pub fn charger_of(&self, subject: Subject, id: u64) -> Result<Option<String>, LedgerError> {
        let table = match subject {
            Subject::Exchange => "exchanges",
            Subject::Command => "commands",
            Subject::Handshake => "handshakes",
            Subject::Session => "sessions",
        };
        let mut found = None;
        self.each(
            &format!("SELECT charger FROM {table} WHERE id = ?1"),
            params![id as i64],
            |row| {
                found = Some(row.get(0)?);
                Ok(())
            },
        )?;
        Ok(found)
    }
}

fn severity(rank: u8) -> Option<Severity> {
    Severity::ALL.get(usize::from(rank)).copied()
}

/// The subject that the database means by this word.
pub(super) fn subject_of(word: &str) -> Subject {
    match word {
        "command" => Subject::Command,
        "handshake" => Subject::Handshake,
        "session" => Subject::Session,
        _ => Subject::Exchange,
    }
}
