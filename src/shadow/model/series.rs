//! A series of report messages under one request id: collected until it is whole, then kept packed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::Value;

use super::evidence::Source;

/// The longest series that is kept: messages, and bytes of their text.
const MOST_PAGES: usize = 256;
const MOST_BYTES: usize = 4 << 20;
/// The most that a packed series may take.
const MOST_PACKED: usize = 512 << 10;

/// A series that is being received.
#[derive(Debug)]
pub struct Open {
    /// The request id that the authority chose.
    pub request_id: Box<str>,
    /// The facts of the messages so far.
    pub facts: Vec<u64>,
    pages: BTreeMap<u64, Value>,
    last: Option<u64>,
    bytes: usize,
}

/// How a series stands after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Messages are missing.
    Open,
    /// Every message from 0 to the one without `tbc` is here.
    Whole,
    /// It is too long, or a message of it cannot be read.
    Lost,
}

impl Open {
    /// A series without messages.
    pub fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.into(),
            facts: Vec::new(),
            pages: BTreeMap::new(),
            last: None,
            bytes: 0,
        }
    }

    /// Takes a message; one that comes twice counts once. A hole in `seqNo` keeps the series open.
    pub fn add(&mut self, payload: &str, fact: u64, scrub: impl Fn(&mut Value)) -> Progress {
        self.bytes += payload.len();
        let page = serde_json::from_str::<Value>(payload).ok();
        let Some((number, mut page)) = page.and_then(|page| Some((page["seqNo"].as_u64()?, page)))
        else {
            return Progress::Lost;
        };
        if self.bytes > MOST_BYTES || number >= MOST_PAGES as u64 {
            return Progress::Lost;
        }
        if page["tbc"].as_bool() != Some(true) {
            self.last = Some(number);
        }
        scrub(&mut page);
        self.pages.insert(number, page);
        self.facts.push(fact);
        match self.last {
            Some(last) if self.pages.len() as u64 > last => Progress::Whole,
            _ => Progress::Open,
        }
    }

    /// The messages in order.
    pub fn into_pages(self) -> Vec<Value> {
        self.pages.into_values().collect()
    }
}

/// A whole series.
#[derive(Debug, Clone)]
pub struct Series {
    /// When and how it was learned.
    pub source: Source,
    /// The facts of its messages, its request not among them.
    pub facts: Vec<u64>,
    packed: Box<[u8]>,
}

impl Series {
    /// Packs a series: a fleet of chargers with some hundred variables each would not fit otherwise. `None` if it is too
    /// large.
    pub fn pack(pages: &[Value], source: Source, facts: Vec<u64>) -> Option<Self> {
        let text = serde_json::to_vec(pages).ok()?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text).ok()?;
        let packed = encoder.finish().ok()?;
        (text.len() <= MOST_BYTES && packed.len() <= MOST_PACKED).then(|| Self {
            source,
            facts,
            packed: packed.into(),
        })
    }

    /// The messages in order.
    pub fn pages(&self) -> Vec<Value> {
        let mut text = Vec::new();
        let read = DeflateDecoder::new(self.packed.as_ref()).read_to_end(&mut text);
        // It was packed here, so it unpacks.
        read.ok()
            .and_then(|_| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Whether it says the same as these messages, `generatedAt` and the request id left out.
    pub fn says(&self, pages: &[Value]) -> bool {
        let plain = |pages: &[Value]| -> Vec<String> {
            pages
                .iter()
                .map(|page| page["reportData"].to_string() + &page["monitor"].to_string())
                .collect()
        };
        plain(&self.pages()) == plain(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u64, tbc: &str) -> String {
        format!(r#"{{"requestId":4,"seqNo":{number}{tbc},"reportData":[{{"x":1.50}}]}}"#)
    }

    fn add(open: &mut Open, text: &str) -> Progress {
        open.add(text, 1, |_| {})
    }

    #[test]
    fn a_series_is_whole_without_a_hole_and_with_its_end() {
        let more = r#","tbc":true"#;
        let mut open = Open::new("4");
        assert_eq!(add(&mut open, &page(0, more)), Progress::Open);
        assert_eq!(add(&mut open, &page(2, "")), Progress::Open, "1 is missing");
        assert_eq!(add(&mut open, &page(0, more)), Progress::Open, "a repeat");
        assert_eq!(add(&mut open, &page(1, more)), Progress::Whole);
        let pages = open.into_pages();
        let series = Series::pack(&pages, Source::imported(7), vec![]).unwrap();
        assert_eq!(series.pages()[2].to_string(), pages[2].to_string());
        assert!(series.says(&pages) && !series.says(&pages[1..]));
    }

    #[test]
    fn a_series_without_end_or_sense_is_lost() {
        let mut open = Open::new("4");
        assert_eq!(add(&mut open, "{}"), Progress::Lost);
        assert_eq!(add(&mut open, &page(1 << 40, "")), Progress::Lost);
        let huge = format!(
            r#"{{"seqNo":0,"tbc":true,"x":"{}"}}"#,
            "y".repeat(MOST_BYTES)
        );
        assert_eq!(add(&mut open, &huge), Progress::Lost);
    }
}
