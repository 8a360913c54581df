//! The forms of a report: each a small pure function from the one model to text.

pub mod charts;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod sarif;

use super::model::{Audience, Report};
use crate::ocpp::{Version, actions};

/// The JSON Schema of `report.json`.
pub const SCHEMA: &str = include_str!("render/report.schema.json");

/// Why a form cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The page's template does not fit the model.
    #[error("render the page: {0:#}")]
    Page(#[from] minijinja::Error),
    /// The model is no JSON.
    #[error("write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What the program itself says in every report: words that are nobody's name.
pub fn words() -> String {
    let mut words = [
        SCHEMA,
        html::WORDS[0],
        html::WORDS[1],
        html::WORDS[2],
        html::WORDS[3],
    ]
    .join("\n");
    words.push_str(super::protocol::TABLE);
    for (_, text) in crate::judge::rules::BUILT_IN {
        words.push_str(text);
    }
    for version in Version::ALL {
        for action in actions::all(version) {
            words.push('\n');
            words.push_str(action.name);
        }
    }
    words
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl File {
    /// A file of text.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into(),
        }
    }
}

/// Every form of a report.
pub fn files(report: &Report) -> Result<Vec<File>, RenderError> {
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    let page = match report.audience {
        Audience::Vendor => html::vendor(report)?,
        Audience::SignOff => html::sign_off(report)?,
    };
    Ok(vec![
        File::new("SUMMARY.md", markdown::summary(report)),
        File::new("junit.xml", junit::write(report)),
        File::new("report.html", page),
        File::new("report.json", json),
        File::new("report.sarif", sarif::write(report)?),
        File::new("report.schema.json", SCHEMA),
    ])
}
