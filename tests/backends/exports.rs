//! Files with a column map.

use std::path::{Path, PathBuf};

use evenkeel::backends::files::{Export, column_map};
use evenkeel::backends::{Access, Report};

use crate::rig::{block_on, ids, read, records};

const MAP: &str = r#"
kind = "cdr"
zone = "Europe/Berlin"
time = "%d.%m.%Y %H:%M:%S"
decimal = ","
thousands = "."
energy = "kWh"
currency = "EUR"

[columns]
id = "Beleg"
charger = "Säule"
start = "Beginn"
energy = "Energie"
cost-incl-vat = "Brutto"
"#;

fn export(dir: &Path, name: &str, text: &str) -> Export {
    let map = dir.join("map.toml");
    std::fs::write(&map, MAP).unwrap();
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    Export {
        files: vec![file],
        map: column_map(&map).unwrap(),
        delimiter: b';',
    }
}

fn run(dir: &Path, name: &str, text: &str) -> (Report, PathBuf) {
    let recording = dir.join("recording");
    let export = export(dir, name, text);
    let report = block_on(read(Access::Files(export), &recording));
    (report, recording)
}

#[test]
fn a_spreadsheets_export_is_read_with_its_units_and_signs() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\u{feff}Beleg;Säule;Beginn;Energie;Brutto;Sonstiges\nR-1;CP1;01.07.2026 12:00:00;12,345;1.234,50;x\n\
                R-2;\"CP;2\";01.01.2026 12:00:00;0,001;0,01;\n";
    let (report, recording) = run(dir.path(), "export.csv", text);
    assert_eq!(report.broken(), None);
    assert_eq!(report.sweeps[0].recorded, 2);
    let records = records(&recording);
    assert_eq!(records[0].energy.unwrap().to_string(), "12345.000");
    assert_eq!(
        records[0].cost.unwrap().incl_vat.unwrap().to_string(),
        "1234.50"
    );
    // 2026-07-01 10:00 UTC: summer time.
    assert_eq!(records[0].start, Some(1_782_900_000_000_000));
    assert_eq!(records[1].charger.as_deref(), Some("CP;2"));
    assert_eq!(records[1].source.row, 3);
    // A second look at the same file adds nothing.
    let (again, _) = run(dir.path(), "export.csv", text);
    assert_eq!((again.sweeps[0].seen, again.sweeps[0].recorded), (2, 0));
}

#[test]
fn a_bad_value_is_named_by_file_line_and_column() {
    let head = "Beleg;Säule;Beginn;Energie;Brutto\n";
    for (row, wanted) in [
        (
            "R-1;CP1;2026-07-01;1;1",
            "export.csv line 2 column \"Beginn\"",
        ),
        (
            "R-1;CP1;01.07.2026 12:00:00;1.5;1",
            "line 2 column \"Energie\"",
        ),
        (";CP1;01.07.2026 12:00:00;1;1", "line 2 column \"Beleg\""),
        ("R-1;CP1", "export.csv line 2:"),
    ] {
        let row = row.replace("1.5", "1,5,5");
        let dir = tempfile::tempdir().unwrap();
        let (report, _) = run(dir.path(), "export.csv", &format!("{head}{row}\n"));
        let said = report.broken().unwrap();
        assert!(said.contains(wanted), "{said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = run(dir.path(), "export.csv", "Beleg;Säule;Beginn;Energie\n");
    let said = report.broken().unwrap();
    assert!(
        said.contains("line 1 column \"Brutto\": is not in the file"),
        "{said}"
    );
}

#[test]
fn json_is_read_whole_or_by_line() {
    let row = |id: &str| {
        format!(
            r#"{{"Beleg":"{id}","Säule":"CP1","Beginn":"01.07.2026 12:00:00","Energie":1.50,"Brutto":"2,00"}}"#
        )
    };
    for (name, text) in [
        ("e.json", format!("[{},\n{}]", row("A"), row("B"))),
        ("e.jsonl", format!("{}\n\n{}\n", row("A"), row("B"))),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (report, recording) = run(dir.path(), name, &text);
        assert_eq!(report.broken(), None, "{name}");
        assert_eq!(ids(&recording), ["A", "B"]);
        assert_eq!(
            records(&recording)[1].energy.unwrap().to_string(),
            "1500.00"
        );
        assert!(records(&recording)[1].source.row >= 2);
    }
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = run(dir.path(), "e.jsonl", "{\"Beleg\":1}\n[]\n");
    assert!(
        report.broken().unwrap().contains("e.jsonl line 2"),
        "{report:?}"
    );
}

#[test]
fn a_map_says_where_it_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("map.toml");
    for (change, wanted) in [
        (MAP.replace("kWh", "kW"), "map.toml line 7"),
        (MAP.replace("energy = \"kWh\"\n", ""), "names no unit"),
        (MAP.replace("cost-incl-vat", "price"), "map.toml line 15"),
        (
            MAP.replace("Europe/Berlin", "Berlin"),
            "no time zone \"Berlin\"",
        ),
    ] {
        std::fs::write(&file, change).unwrap();
        let said = column_map(&file).unwrap_err().to_string();
        assert!(said.contains(wanted), "{said}");
    }
}
