//! Tables as Parquet, read back and held against the JSON Lines of the same tables. Needs `--features parquet`.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use chrono::DateTime;
use parquet::data_type::Decimal as Stored;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use rust_decimal::Decimal;
use serde_json::Value;

fn run(args: &[&str], recording: &Path, ends: i32) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .arg(recording)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(ends), "{args:?}: {output:?}");
    output.stdout
}

fn stored(decimal: &Stored) -> Decimal {
    let bytes = decimal.data();
    let negative = bytes[0] >= 0x80;
    let mut all = [if negative { 0xff } else { 0 }; 16];
    all[16 - bytes.len()..].copy_from_slice(bytes);
    Decimal::from_i128_with_scale(i128::from_be_bytes(all), decimal.scale() as u32)
}

/// JSON as text: numbers as they are written.
fn said(bytes: &[u8]) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    format!("{value}")
}

/// Whether a cell of the file says what the JSON of the same row says.
fn is_same(field: &Field, told: &Value) -> bool {
    match field {
        Field::Null => told.is_null(),
        Field::Bool(flag) => told.as_bool() == Some(*flag),
        Field::Long(number) => told.as_i64() == Some(*number),
        Field::Str(text) if told.is_object() => said(text.as_bytes()) == format!("{told}"),
        Field::Str(text) => told.as_str() == Some(text),
        Field::Bytes(bytes) => said(bytes.data()) == format!("{told}"),
        Field::TimestampMillis(at) => {
            let told = DateTime::parse_from_rfc3339(told.as_str().unwrap());
            told.unwrap().timestamp_millis() == *at
        }
        Field::Decimal(decimal) => {
            told.as_str().unwrap().parse::<Decimal>().unwrap() == stored(decimal)
        }
        Field::ListInternal(list) => {
            let told = told.as_array().unwrap();
            list.len() == told.len()
                && list
                    .elements()
                    .iter()
                    .zip(told)
                    .all(|(field, told)| is_same(field, told))
        }
        other => panic!("no column is of this type: {other:?}"),
    }
}

fn kind(field: &Field) -> &'static str {
    match field {
        Field::Null => "null",
        Field::Bool(_) => "bool",
        Field::Long(_) => "long",
        Field::TimestampMillis(_) => "time",
        Field::Decimal(_) => "decimal",
        Field::ListInternal(_) => "list",
        _ => "string",
    }
}

fn names(row: &Row) -> Vec<String> {
    row.get_column_iter()
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn every_table_says_in_parquet_what_it_says_in_json_with_the_columns_of_the_csv() {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("demo");
    run(
        &[
            "demo",
            "--headless",
            "--for",
            "4s",
            "--seed",
            "7",
            "--json",
            "--recording",
        ],
        &recording,
        1,
    );
    let mut kinds = BTreeSet::new();
    for table in ["facts", "sessions", "cdrs", "status"] {
        let lines = String::from_utf8(run(&["export", table], &recording, 0)).unwrap();
        let csv = run(&["export", table, "--format", "csv"], &recording, 0);
        let mut csv = csv::Reader::from_reader(&csv[..]);
        let heading: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
        let file = place.path().join(format!("{table}.parquet"));
        let out = [
            "export",
            table,
            "--format",
            "parquet",
            "--out",
            file.to_str().unwrap(),
        ];
        run(&out, &recording, 0);
        let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
        let rows: Vec<Row> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), lines.lines().count(), "{table}");
        assert!(!rows.is_empty(), "{table}");
        for (row, line) in rows.iter().zip(lines.lines()) {
            let told: Value = serde_json::from_str(line).unwrap();
            assert_eq!(names(row), heading, "{table}");
            for (name, field) in row.get_column_iter() {
                assert!(
                    is_same(field, &told[name]),
                    "{table} {name}: {field:?} and {}",
                    told[name]
                );
                kinds.insert(kind(field));
            }
        }
    }
    for kind in ["bool", "decimal", "list", "long", "null", "string", "time"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
}
