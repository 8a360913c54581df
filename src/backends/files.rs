//! Exported files: CSV, JSON and JSON Lines with a column map. Every complaint names file, line and column.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ReadError;
use super::shelf::{Found, Shelf};
use crate::judge::records::columns::MapError;
use crate::judge::records::{ColumnMap, Form};

/// The longest JSON file, in bytes: it is read whole. CSV and JSON Lines are read row by row.
const MAX_JSON: u64 = 256 << 20;

/// The longest row of JSON Lines, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// Exported files of one form.
#[derive(Debug, Clone)]
pub struct Export {
    /// The files, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// What their columns mean.
    pub map: ColumnMap,
    /// What separates columns of CSV.
    pub delimiter: u8,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("read {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Neither CSV nor JSON by its name.
    #[error("{}: the name must end in .csv, .json, .jsonl or .ndjson", .0.display())]
    Form(PathBuf),
    /// The whole file is not what its name says.
    #[error("{} line {line}: {why}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// A value that cannot be read.
    #[error("{} line {line} column {column:?}: {why}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, as the map names it.
        column: String,
        /// What is wrong.
        why: String,
    },
    /// The column map cannot be read.
    #[error("{}{}: {why}", file.display(), at(*.line))]
    Map {
        /// The file.
        file: PathBuf,
        /// The line, from 1, if it is one line.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
}

fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

/// Reads and checks a column map (TOML).
pub fn column_map(file: &Path) -> Result<ColumnMap, FileError> {
    let text = std::fs::read_to_string(file).map_err(in_file(file))?;
    let map: ColumnMap = toml::from_str(&text).map_err(|error| FileError::Map {
        file: file.to_owned(),
        line: error
            .span()
            .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1),
        why: error.message().trim().to_owned(),
    })?;
    map.check().map_err(|error: MapError| FileError::Map {
        file: file.to_owned(),
        line: None,
        why: error.to_string(),
    })?;
    Ok(map)
}

fn in_file(file: &Path) -> impl FnOnce(io::Error) -> FileError {
    let file = file.to_owned();
    move |source| FileError::Io { file, source }
}

/// One pass: every row of every file. Blocks while it reads.
pub async fn read(export: &Export, shelf: &mut Shelf) -> Result<(), ReadError> {
    for file in &export.files {
        let ending = file.extension().and_then(|ending| ending.to_str());
        let rows = Rows {
            file,
            map: &export.map,
            shelf,
        };
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("csv" | "txt" | "tsv") => csv(rows, export.delimiter).await?,
            Some("json") => json(rows).await?,
            Some("jsonl" | "ndjson") => json_lines(rows).await?,
            _ => return Err(FileError::Form(file.clone()).into()),
        }
    }
    Ok(())
}

/// Where rows of a file go.
struct Rows<'a> {
    file: &'a Path,
    map: &'a ColumnMap,
    shelf: &'a mut Shelf,
}

impl Rows<'_> {
    fn broken(&self, line: u64, why: &(impl ToString + ?Sized)) -> ReadError {
        let (file, why) = (self.file.to_owned(), why.to_string());
        FileError::Syntax { file, line, why }.into()
    }

    fn bad_value(&self, line: u64, column: &str, why: &str) -> ReadError {
        FileError::Value {
            file: self.file.to_owned(),
            line,
            column: column.to_owned(),
            why: why.to_owned(),
        }
        .into()
    }

    async fn take(&mut self, line: u64, row: &Value, body: &[u8]) -> Result<(), ReadError> {
        let misread = self.map.misread(row);
        if let Some(misread) = misread.iter().find(|misread| !misread.is_read) {
            return Err(self.bad_value(line, &misread.column, &misread.why));
        }
        let Some(id) = self.map.id(row) else {
            return Err(self.bad_value(line, self.map.id_column(), "is empty"));
        };
        let url = self.file.display().to_string();
        let found = Found {
            form: Form::Columns,
            kind: self.map.kind,
            id: &id,
            body,
            updated: None,
            url: &url,
            page: 0,
            row: line,
            columns: Some(self.map),
        };
        self.shelf.put(&found).await?;
        Ok(())
    }
}

async fn csv(mut rows: Rows<'_>, delimiter: u8) -> Result<(), ReadError> {
    let mut input = BufReader::new(File::open(rows.file).map_err(in_file(rows.file))?);
    // Spreadsheets begin their files with a byte order mark.
    let head = input.fill_buf().map_err(in_file(rows.file))?;
    if head.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(input);
    let line_of = |error: &csv::Error| error.position().map_or(1, csv::Position::line);
    let headers = reader.headers().cloned();
    let headers = headers.map_err(|error| rows.broken(line_of(&error), &error))?;
    for column in rows.map.columns.values() {
        match headers.iter().filter(|header| header == column).count() {
            1 => {}
            0 => return Err(rows.bad_value(1, column, "is not in the file")),
            _ => return Err(rows.bad_value(1, column, "is there more than once")),
        }
    }
    for record in reader.records() {
        let record = record.map_err(|error| rows.broken(line_of(&error), &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = headers.iter().zip(&record);
        let row: Map<String, Value> = cells
            .map(|(name, cell)| (name.to_owned(), Value::from(cell)))
            .collect();
        let row = Value::Object(row);
        rows.take(line, &row, row.to_string().as_bytes()).await?;
    }
    Ok(())
}

async fn json(mut rows: Rows<'_>) -> Result<(), ReadError> {
    let length = std::fs::metadata(rows.file)
        .map_err(in_file(rows.file))?
        .len();
    if length > MAX_JSON {
        return Err(rows.broken(
            1,
            "too long for one JSON value; JSON Lines may be of any length",
        ));
    }
    let text = std::fs::read_to_string(rows.file).map_err(in_file(rows.file))?;
    let list: Vec<&RawValue> =
        serde_json::from_str(&text).map_err(|error| rows.broken(error.line() as u64, &error))?;
    let (mut line, mut counted) = (1, 0);
    for raw in list {
        let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        line += text[counted..start].matches('\n').count() as u64;
        counted = start;
        let row = row(raw.get()).map_err(|why| rows.broken(line, &why))?;
        rows.take(line, &row, raw.get().as_bytes()).await?;
    }
    Ok(())
}

async fn json_lines(mut rows: Rows<'_>) -> Result<(), ReadError> {
    use std::io::Read as _;
    let mut input = BufReader::new(File::open(rows.file).map_err(in_file(rows.file))?);
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let mut bounded = (&mut input).take(MAX_LINE);
        let length = bounded.read_line(&mut text).map_err(in_file(rows.file))?;
        if length == 0 {
            break;
        }
        if length as u64 == MAX_LINE {
            return Err(rows.broken(line, "too long"));
        }
        if text.trim().is_empty() {
            continue;
        }
        let row = row(&text).map_err(|why| rows.broken(line, &why))?;
        rows.take(line, &row, text.trim().as_bytes()).await?;
    }
    Ok(())
}

fn row(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(row @ Value::Object(_)) => Ok(row),
        Ok(_) => Err("a row is not an object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
