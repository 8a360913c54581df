//! What was judged last, event by event: for views that stream.

use std::collections::BTreeSet;

use rusqlite::params;

use super::LedgerError;
use super::query::Reader;

/// How far behind the newest an exchange may be judged and still be noticed: a slow answer finishes late.
const LOOK_BACK: u64 = 20_000;

/// Remembers what has been told already.
#[derive(Debug, Default)]
pub struct Feed {
    told: BTreeSet<u64>,
}

/// One judged exchange or command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The fact that began it.
    pub id: u64,
    /// The charger.
    pub charger: String,
    /// The action.
    pub action: String,
    /// `equal`, `explained`, `divergent` or `not-comparable`.
    pub outcome: String,
    /// Why it is not comparable, or which findings it shows.
    pub detail: String,
    /// Answer times of authority and shadow, µs, if both answered.
    pub answered_us: Option<(i64, i64)>,
}

impl Event {
    /// The row mark that every view uses.
    pub fn mark(&self) -> char {
        match self.outcome.as_str() {
            "equal" => '=',
            "explained" => '~',
            "divergent" => 'x',
            _ => 'n',
        }
    }

    /// The event in words.
    pub fn says(&self) -> String {
        let mut words = self.outcome.clone();
        if !self.detail.is_empty() {
            words = format!("{words}: {}", self.detail);
        }
        if let Some((authority, shadow)) = self.answered_us {
            let (authority, shadow) = (authority as f64 / 1e3, shadow as f64 / 1e3);
            words = format!("{words}  ({authority:.1} ms, shadow {shadow:.1} ms)");
        }
        words
    }
}

impl Feed {
    /// What has been judged since the last call, by the order in which it began.
    pub fn next(&mut self, reader: &Reader) -> Result<Vec<Event>, LedgerError> {
        let floor = self
            .told
            .last()
            .map_or(0, |last| last.saturating_sub(LOOK_BACK));
        let mut events = Vec::new();
        reader.each(
            "SELECT id, charger, action, outcome, coalesce(reason, ''), authority_us, shadow_us FROM exchanges WHERE id > ?1 \
             UNION ALL SELECT id, charger, 'command ' || action, outcome, coalesce(reason, ''), NULL, NULL FROM commands \
             WHERE id > ?1 ORDER BY 1",
            params![floor as i64],
            |row| {
                let id: u64 = row.get::<_, i64>(0)?.unsigned_abs();
                if !self.told.insert(id) {
                    return Ok(());
                }
                let (authority, shadow): (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?);
                events.push(Event {
                    id,
                    charger: row.get(1)?,
                    action: row.get(2)?,
                    outcome: row.get(3)?,
                    detail: row.get(4)?,
                    answered_us: authority.zip(shadow),
                });
                Ok(())
            },
        )?;
        for event in &mut events {
            if event.outcome == "divergent" {
                event.detail = findings_of(reader, event.id)?;
            }
        }
        let keep = self
            .told
            .last()
            .map_or(0, |last| last.saturating_sub(LOOK_BACK));
        self.told = self.told.split_off(&keep);
        Ok(events)
    }
}

fn findings_of(reader: &Reader, id: u64) -> Result<String, LedgerError> {
    let mut titles = Vec::new();
    reader.each(
        "SELECT DISTINCT 'S' || f.severity || ' ' || f.id || ' ' || f.title FROM divergences d JOIN findings f ON f.id = d.finding \
         WHERE d.id = ?1 ORDER BY 1",
        params![id as i64],
        |row| {
            titles.push(row.get::<_, String>(0)?);
            Ok(())
        },
    )?;
    Ok(titles.join("; "))
}
