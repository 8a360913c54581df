//! `evenkeel estate`: the migration map of a recording.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;

use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use crate::estate::map::{self, Attribute, Sources, VendorMessage};
use crate::facts::Reader as Facts;
use crate::ledger::query::{Filter, Reader};
use crate::ocpp::Envelope;
use crate::ocpp::json::{self, Step};
use crate::ocpp::quirks::Quirk;

/// Vendor messages that are looked into, the newest: what a view may cost is bounded.
const MOST: usize = 20_000;

/// Different ones that are told apart.
const KINDS: usize = 200;

/// Shows the migration map: what there is, who is quiet, what only the legacy does, and how well the pilot stands for the fleet.
///
/// By any attributes:   evenkeel estate --by site,criticality RECORDING
/// Another pilot:       evenkeel estate --pilot depot-north RECORDING
/// Before the end:      evenkeel estate --decommission RECORDING
///
/// The list of chargers, groups and waves are those that the tap recorded; models, firmware and versions are what chargers told.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// What segments are by: vendor, model, firmware, version, group, site, criticality, customer.
    #[arg(long, value_name = "ATTRIBUTES", value_parser = attribute, value_delimiter = ',', default_value = "model,firmware")]
    by: Vec<Attribute>,
    /// The groups of the pilot; without it those of the first wave.
    #[arg(long, value_name = "GROUP")]
    pilot: Vec<String>,
    /// Show only what must be so before the legacy can be switched off, and what of it is proven.
    #[arg(long)]
    decommission: bool,
    /// Print it all as JSON (schema evenkeel.estate/1).
    #[arg(long)]
    json: bool,
}

fn attribute(text: &str) -> Result<Attribute, String> {
    let words = || Attribute::ALL.map(Attribute::word).join(", ");
    Attribute::from_word(text.trim()).ok_or_else(words)
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    super::judging::bring_up_to_date(&dir)?;
    let reader = Reader::open(&dir)?;
    let sources = Sources {
        groups: reader.groups()?,
        waves: reader.waves()?,
        quirks: quirks(&reader)?,
        ordered: reader.ordered()?,
        vendor: vendor(&reader, &dir)?,
    };
    for pilot in &options.pilot {
        super::gate::known(&reader, pilot)?;
    }
    let map = map::draw(
        &reader.evidence(None)?,
        sources,
        &options.by,
        &options.pilot,
    );
    let text = match (options.json, options.decommission) {
        (true, _) => super::to_json(&map)? + "\n",
        (false, true) => text::decommission(&map),
        (false, false) => text::summary(&map),
    };
    super::say(&text)?;
    Ok(Exit::Parity)
}

fn quirks(reader: &Reader) -> Result<BTreeMap<String, BTreeSet<&'static str>>, CliError> {
    let mut quirks: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let own = reader
        .quirks(&Filter::default())?
        .into_iter()
        .filter(|it| it.leg.is_empty());
    for seen in own {
        let Some(quirk) = Quirk::from_row(seen.row) else {
            continue;
        };
        for charger in seen.chargers {
            quirks.entry(charger).or_default().insert(quirk.name());
        }
    }
    Ok(quirks)
}

/// Vendor messages, by what they call themselves.
fn vendor(reader: &Reader, dir: &Path) -> Result<Vec<VendorMessage>, CliError> {
    let facts = Facts::open(dir)?;
    let mut found: BTreeMap<(String, String, &'static str), (u64, BTreeSet<String>)> =
        BTreeMap::new();
    for (seq, charger, is_chargers) in reader.calls("DataTransfer", MOST)? {
        let Some(fact) = facts.by_seq(seq)? else {
            continue;
        };
        let Some(Ok(call)) = fact.text().map(Envelope::parse) else {
            continue;
        };
        let text = |key| {
            let literal = json::first(call.payload, &[Step::Key(key)])?;
            Some(json::string_value(literal)?.into_owned())
        };
        let sender = if is_chargers { "charger" } else { "legacy" };
        let name = |key| text(key).unwrap_or_default();
        let key = (name("vendorId"), name("messageId"), sender);
        if found.len() < KINDS || found.contains_key(&key) {
            let (count, chargers) = found.entry(key).or_default();
            *count += 1;
            chargers.insert(charger);
        }
    }
    let messages =
        found.into_iter().map(
            |((vendor, message, sender), (count, chargers))| VendorMessage {
                vendor,
                message,
                sender,
                count,
                chargers: chargers.len() as u64,
            },
        );
    Ok(messages.collect())
}
