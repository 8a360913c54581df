//! How the estate and what people decide about it get into the tables.

use rusqlite::{Connection, params};

use super::to_json;
use crate::ledger::row::{Decision, Estate, GateFile, Member};

/// Puts what the operator says now in place of what was said before.
pub(super) fn replace(db: &Connection, row: &Estate) -> rusqlite::Result<()> {
    db.execute_batch("DELETE FROM groups; DELETE FROM waves; DELETE FROM members")?;
    let mut groups = db.prepare_cached("INSERT INTO groups VALUES (?1, ?2, ?3, ?4)")?;
    for (place, group) in row.groups.iter().enumerate() {
        groups.execute(params![
            group.name,
            place as i64,
            group.wave,
            to_json(group)?
        ])?;
    }
    let mut waves = db.prepare_cached("INSERT INTO waves VALUES (?1, ?2, ?3, ?4)")?;
    for (place, wave) in row.waves.iter().enumerate() {
        waves.execute(params![wave.name, place as i64, wave.date, to_json(wave)?])?;
    }
    let mut members = db.prepare_cached("INSERT INTO members VALUES (?1, ?2, '', 0, ?3)")?;
    for listed in &row.chargers {
        members.execute(params![listed.charger, listed.group, to_json(listed)?])?;
    }
    Ok(())
}

/// A charger was seen; what is said of it stays.
pub(super) fn member(db: &Connection, row: &Member) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO members VALUES (?1, ?2, ?3, ?4, '') ON CONFLICT DO UPDATE SET \
            crowd = excluded.crowd, version = excluded.version, since = excluded.since",
    )?
    .execute(params![
        row.charger,
        row.group,
        row.version,
        row.since as i64
    ])
    .map(drop)
}

/// The criteria were loaded.
pub(super) fn gate(db: &Connection, row: &GateFile) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO gates VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![row.id as i64, row.at, row.file, row.hash, row.text])
        .map(drop)
}

/// Somebody decided.
pub(super) fn decision(db: &Connection, row: &Decision) -> rusqlite::Result<()> {
    let (decided, body) = (&row.decided, to_json(&row.decided)?);
    db.prepare_cached("INSERT INTO decisions VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            row.id as i64,
            row.at,
            decided.group,
            decided.word.word(),
            body
        ])
        .map(drop)
}
