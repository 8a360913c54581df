//! The published JSON Schemas, against what the program really writes.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a failed step of a test should end it"
)]

use std::process::Command;

use jsonschema::Validator;
use serde_json::{Value, json};

/// A schema as the program prints it.
pub fn published(name: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["schema", name])
        .output()
        .unwrap();
    let schema = serde_json::from_slice(&output.stdout).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "{name}");
    schema
}

/// A schema that also refuses keys that it does not name.
pub fn closed(mut schema: Value) -> Validator {
    assert!(jsonschema::meta::is_valid(&schema));
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

fn close(schema: &mut Value) {
    if let Some(members) = schema.as_object_mut() {
        if members.contains_key("properties") {
            members.insert("additionalProperties".to_owned(), json!(false));
        }
        members.values_mut().for_each(close);
    } else if let Some(elements) = schema.as_array_mut() {
        elements.iter_mut().for_each(close);
    }
}

/// Asserts that something fits a schema.
#[track_caller]
pub fn assert_valid(schema: &Validator, instance: &Value) {
    let errors: Vec<String> = (schema.iter_errors(instance))
        .map(|error| format!("{} at {}", error, error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:#?} in {instance:#}");
}

/// Asserts that something fits the schema that is published under a name.
#[track_caller]
pub fn assert_fits(name: &str, instance: &Value) {
    let schema = jsonschema::validator_for(&published(name)).unwrap();
    assert_valid(&schema, instance);
}
