//! Rows as Parquet: columns with the types that the row's JSON Schema says.
//!
//! Integers are INT64, flags BOOLEAN, times TIMESTAMP (milliseconds, UTC), exact decimals DECIMAL(38, 12), lists LIST of
//! strings, notes JSON, everything else STRING. A column that may be null, or missing, is OPTIONAL.

use std::io::{self, Write};
use std::sync::Arc;

use chrono::DateTime;
use parquet::basic::{
    Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical,
};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::cli::error::{CliError, Exit};

/// Rows of one row group, and bytes of text in it: what is held in memory.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 32 << 20;

/// Digits of a decimal, and how many of them behind the point; it lies in so many bytes.
const PRECISION: i32 = 38;
const SCALE: u32 = 12;
const DECIMAL_BYTES: usize = 16;

/// Rows on their way into a file.
pub(super) struct Rows {
    out: SerializedFileWriter<Box<dyn Write + Send>>,
    columns: Vec<Column>,
    /// Rows that wait for their row group, and the bytes of their texts.
    waiting: usize,
    bytes: usize,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Json,
    Integer,
    Flag,
    Time,
    Decimal,
    List,
}

/// The values of one column that wait for their row group.
struct Column {
    name: &'static str,
    shape: Shape,
    optional: bool,
    values: Values,
    /// 1 where there is a value, 0 where there is none.
    defined: Vec<i16>,
    /// 1 where a value goes on with the list before it.
    repeated: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Flags(Vec<bool>),
    Decimals(Vec<FixedLenByteArray>),
}

impl Rows {
    /// A table with these columns, whose types `schema` (a JSON Schema) tells.
    pub(super) fn open(
        sink: Box<dyn Write + Send>,
        columns: &[&'static str],
        schema: &str,
    ) -> Result<Self, CliError> {
        let schema: Value = serde_json::from_str(schema).map_err(|error| unwritten(&error))?;
        let columns: Vec<Column> = columns
            .iter()
            .map(|name| Column::of(name, &schema))
            .collect();
        let file = columns
            .iter()
            .map(Column::field)
            .collect::<Result<Vec<TypePtr>, ParquetError>>()
            .and_then(|fields| Type::group_type_builder("row").with_fields(fields).build())
            .map_err(|error| unwritten(&error))?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("evenkeel {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::SNAPPY)
            .build();
        let out = SerializedFileWriter::new(sink, Arc::new(file), Arc::new(properties))
            .map_err(|error| unwritten(&error))?;
        Ok(Self {
            out,
            columns,
            waiting: 0,
            bytes: 0,
        })
    }

    /// Adds a row.
    pub(super) fn row(&mut self, row: &Value) -> io::Result<()> {
        for column in &mut self.columns {
            self.bytes += column.push(&row[column.name])?;
        }
        self.waiting += 1;
        if self.waiting >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Writes what waits, and the end of the file.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.flush()?;
        self.out.finish().map_err(io::Error::other)?;
        self.out.inner_mut().flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        (self.waiting, self.bytes) = (0, 0);
        self.group().map_err(io::Error::other)
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        for column in &mut self.columns {
            let Some(writer) = group.next_column()? else {
                return Err(ParquetError::General("a column too many".to_owned()));
            };
            column.write(writer)?;
        }
        group.close()?;
        Ok(())
    }
}

impl Column {
    fn of(name: &'static str, schema: &Value) -> Self {
        let shape = shape(property(schema, name));
        Self {
            name,
            shape,
            optional: is_optional(schema, name),
            values: match shape {
                Shape::Text | Shape::Json | Shape::List => Values::Text(Vec::new()),
                Shape::Integer | Shape::Time => Values::Numbers(Vec::new()),
                Shape::Flag => Values::Flags(Vec::new()),
                Shape::Decimal => Values::Decimals(Vec::new()),
            },
            defined: Vec::new(),
            repeated: Vec::new(),
        }
    }

    /// The column as a field of the file's schema.
    fn field(&self) -> Result<TypePtr, ParquetError> {
        let repetition = if self.optional {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        };
        if self.shape == Shape::List {
            let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::String))
                .build()?;
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(element)])
                .build()?;
            let list = Type::group_type_builder(self.name)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(ConvertedType::LIST)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(list)])
                .build()?;
            return Ok(Arc::new(list));
        }
        let (physical, logical) = match self.shape {
            Shape::Text | Shape::List => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Shape::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            Shape::Integer => (Physical::INT64, None),
            Shape::Flag => (Physical::BOOLEAN, None),
            Shape::Time => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MILLIS)),
            ),
            Shape::Decimal => (
                Physical::FIXED_LEN_BYTE_ARRAY,
                Some(LogicalType::decimal(SCALE as i32, PRECISION)),
            ),
        };
        let field = Type::primitive_type_builder(self.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical);
        let field = match self.shape {
            Shape::Decimal => field
                .with_length(DECIMAL_BYTES as i32)
                .with_precision(PRECISION)
                .with_scale(SCALE as i32),
            _ => field,
        };
        Ok(Arc::new(field.build()?))
    }

    /// Takes the value of a row; gives the bytes that it takes.
    fn push(&mut self, value: &Value) -> io::Result<usize> {
        if let Value::Array(elements) = value
            && self.shape == Shape::List
        {
            return Ok(self.push_list(elements));
        }
        let (name, is_null) = (self.name, value.is_null());
        let unfit = || io::Error::other(format!("{value} does not fit column {name}"));
        if is_null && (!self.optional || self.shape == Shape::List) {
            return Err(unfit());
        }
        self.defined.push(i16::from(!is_null));
        if is_null {
            return Ok(0);
        }
        let text = value.as_str();
        match &mut self.values {
            Values::Text(all) => {
                let text = text.map_or_else(|| value.to_string(), str::to_owned);
                let bytes = text.len();
                all.push(ByteArray::from(text.into_bytes()));
                return Ok(bytes);
            }
            Values::Numbers(all) if self.shape == Shape::Time => {
                let at = text.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
                all.push(at.ok_or_else(unfit)?.timestamp_millis());
            }
            Values::Numbers(all) => all.push(value.as_i64().ok_or_else(unfit)?),
            Values::Flags(all) => all.push(value.as_bool().ok_or_else(unfit)?),
            Values::Decimals(all) => {
                let scaled = text.and_then(scaled).ok_or_else(unfit)?;
                all.push(FixedLenByteArray::from(scaled.to_be_bytes().to_vec()));
            }
        }
        Ok(size_of::<i64>())
    }

    fn push_list(&mut self, elements: &[Value]) -> usize {
        let Values::Text(all) = &mut self.values else {
            return 0;
        };
        if elements.is_empty() {
            self.defined.push(0);
            self.repeated.push(0);
        }
        let mut bytes = 0;
        for (place, element) in elements.iter().enumerate() {
            let text = element
                .as_str()
                .map_or_else(|| element.to_string(), str::to_owned);
            bytes += text.len();
            all.push(ByteArray::from(text.into_bytes()));
            self.defined.push(1);
            self.repeated.push(i16::from(place > 0));
        }
        bytes
    }

    /// Writes what was taken and forgets it.
    fn write(&mut self, mut out: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let is_list = self.shape == Shape::List;
        // A column that needs no levels may have none.
        let levels = (
            (self.optional || is_list).then_some(&self.defined[..]),
            is_list.then_some(&self.repeated[..]),
        );
        match &mut self.values {
            Values::Text(all) => {
                out.typed::<ByteArrayType>()
                    .write_batch(all, levels.0, levels.1)?;
                all.clear();
            }
            Values::Numbers(all) => {
                out.typed::<Int64Type>()
                    .write_batch(all, levels.0, levels.1)?;
                all.clear();
            }
            Values::Flags(all) => {
                out.typed::<BoolType>()
                    .write_batch(all, levels.0, levels.1)?;
                all.clear();
            }
            Values::Decimals(all) => {
                out.typed::<FixedLenByteArrayType>()
                    .write_batch(all, levels.0, levels.1)?;
                all.clear();
            }
        }
        out.close()?;
        self.defined.clear();
        self.repeated.clear();
        Ok(())
    }
}

/// A decimal as an integer of units of its last digit. More digits than there is room for are rounded; `None` if it is too large.
fn scaled(text: &str) -> Option<i128> {
    let mut number = text.parse::<Decimal>().ok()?.round_dp(SCALE);
    let digits = number.scale();
    number.set_scale(0).ok()?;
    let unit = 10_i128.checked_pow(SCALE.checked_sub(digits)?)?;
    number.mantissa().checked_mul(unit)
}

/// What a JSON Schema says about one key, references followed.
fn property<'s>(schema: &'s Value, name: &str) -> &'s Value {
    let property = &schema["properties"][name];
    let target = property["$ref"].as_str();
    let pointer = target.and_then(|target| target.strip_prefix('#'));
    let found = pointer.and_then(|pointer| schema.pointer(pointer));
    found.unwrap_or(property)
}

fn types(property: &Value) -> Vec<&str> {
    match &property["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

fn shape(property: &Value) -> Shape {
    let types = types(property);
    let pattern = property["pattern"].as_str().unwrap_or_default();
    match () {
        () if types.contains(&"integer") => Shape::Integer,
        () if types.contains(&"boolean") => Shape::Flag,
        () if types.contains(&"array") => Shape::List,
        () if types.contains(&"object") => Shape::Json,
        () if property["format"] == "date-time" => Shape::Time,
        () if pattern.contains("\\d+(\\.\\d+)?") => Shape::Decimal,
        () => Shape::Text,
    }
}

fn is_optional(schema: &Value, name: &str) -> bool {
    let required = schema["required"].as_array();
    let is_required = required.is_some_and(|keys| keys.iter().any(|key| key == name));
    !is_required || types(property(schema, name)).contains(&"null")
}

fn unwritten(error: &dyn std::error::Error) -> CliError {
    let why = format!("cannot write Parquet: {error}");
    CliError::new(Exit::Environment, "OUT-001", why)
}
