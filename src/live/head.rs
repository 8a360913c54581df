//! Request and response heads: read on a copy, never rebuilt.
//!
//! What is forwarded is the charger's own bytes with at most two splices: the value of `Host`, and the base path in front
//! of the identity. Chargers are odd (absolute-form targets, double slashes, raw bytes, missing `Connection`), so the copy
//! is made harmless before it is parsed and every offset found in it is valid in the original.

use std::ops::Range;

use super::backend::Backend;
use super::body::Body;
use super::secret::Secret;

mod told;

pub use told::{HEX_PASSWORD, SCHEMES};

/// Longest head that is read. A longer one is forwarded unread.
pub const MAX_HEAD: usize = 16 * 1024;

/// Most header fields that are read.
pub const MAX_HEADERS: usize = 100;

/// Why bytes can't be read as a head. They are forwarded all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// More than [`MAX_HEAD`] bytes.
    #[error("head longer than 16 KiB")]
    TooLong,
    /// More than [`MAX_HEADERS`] fields.
    #[error("more than 100 header fields")]
    TooManyFields,
    /// Not HTTP/1.
    #[error("not an HTTP/1 head")]
    Unreadable,
}

/// A charger's request head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// The target as sent, but for what may be secret: log-in and query values are stars here. Bytes outside printable ASCII
    /// are percent-encoded.
    pub target: String,
    /// Raw last path segment, `None` if the target names none.
    pub identity: Option<String>,
    /// Whether it asks for a WebSocket.
    pub upgrade: bool,
    /// `Sec-WebSocket-Protocol`, joined with `, `.
    pub offered: Option<String>,
    /// The scheme of `Authorization`, `unknown` unless it is one of [`SCHEMES`].
    pub authorization: Option<String>,
    /// Odd things about it, by name.
    pub quirks: Vec<String>,
    /// Whether another request may follow its answer: it is a GET that carries nothing.
    pub is_followable: bool,
    target_range: Range<usize>,
    credentials: Option<Range<usize>>,
    hosts: Vec<Range<usize>>,
}

/// An authority's response head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// HTTP status.
    pub status: u16,
    /// `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<String>,
    /// `Sec-WebSocket-Extensions`, joined with `, `.
    pub extensions: Option<String>,
    /// The body that follows a final response, if the connection stays open for another request behind it.
    pub body: Option<Body>,
}

/// Reads a request head from the start of `bytes`; `None` if more bytes are needed. `base_path` is the tap's own.
pub fn read_request(bytes: &[u8], base_path: &str) -> Result<Option<Request>, HeadError> {
    let copy = harmless_copy(bytes);
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config
        .ignore_invalid_headers_in_requests(true)
        .allow_multiple_spaces_in_request_line_delimiters(true);
    let Some(len) = complete(config.parse_request(&mut head, &copy), bytes.len())? else {
        return Ok(None);
    };
    let target = head.path.ok_or(HeadError::Unreadable)?;
    let range = range_in(&copy, target.as_bytes());
    let fields = Fields {
        copy: &copy,
        original: bytes,
        parsed: head.headers,
    };
    let mut request = Request::from_parts(len, range, &fields, base_path);
    request.is_followable = head.method == Some("GET")
        && !fields.has("transfer-encoding")
        && fields.joined("content-length").is_none_or(|len| len == "0");
    Ok(Some(request))
}

/// Reads a response head from the start of `bytes`; `None` if more bytes are needed.
pub fn read_response(bytes: &[u8]) -> Result<Option<Response>, HeadError> {
    let copy = harmless_copy(bytes);
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_obsolete_multiline_headers_in_responses(true);
    let Some(len) = complete(config.parse_response(&mut head, &copy), bytes.len())? else {
        return Ok(None);
    };
    let status = head.code.ok_or(HeadError::Unreadable)?;
    let is_http_1_1 = head.version == Some(1);
    let fields = Fields {
        copy: &copy,
        original: bytes,
        parsed: head.headers,
    };
    Ok(Some(Response {
        len,
        status,
        body: fields
            .stays_open(is_http_1_1)
            .then(|| fields.body(status))
            .flatten(),
        subprotocol: fields.joined("sec-websocket-protocol"),
        extensions: fields.joined("sec-websocket-extensions"),
    }))
}

impl Request {
    fn from_parts(len: usize, target: Range<usize>, fields: &Fields<'_>, base_path: &str) -> Self {
        let raw = printable(&fields.original[target.clone()]);
        let path = &raw[path_range(&raw)];
        let below = strip_base(path, base_path);
        let hosts: Vec<_> = fields.ranges("host").collect();
        let offered = fields.joined("sec-websocket-protocol");
        let upgrade = fields.has("sec-websocket-key") || fields.has("upgrade");
        let credentials = fields.joined("authorization");
        let mut values = fields.ranges("authorization");
        // Only in 1.6 is a password configured as digits that stand for bytes.
        let is_16 = offered
            .as_deref()
            .is_none_or(|offered| offered.contains("ocpp1.6"));
        let is_hex = is_16 && credentials.as_deref().is_some_and(told::is_hex_password);
        let quirks = [
            (offered.is_none(), "no subprotocol offered"),
            (!raw.starts_with('/'), "absolute-form target"),
            (path.contains("//"), "double slash in path"),
            (path.ends_with('/') && path.len() > 1, "trailing slash"),
            (path.contains('%'), "percent-encoded path"),
            (below.is_none(), "target outside the base path"),
            (!fields.has("connection"), "no Connection header"),
            (hosts.is_empty(), "no Host header"),
            (hosts.len() > 1, "several Host headers"),
            (is_hex, HEX_PASSWORD),
        ];
        Self {
            len,
            credentials: values.next().filter(|_| values.next().is_none()),
            is_followable: false,
            identity: identity(below.unwrap_or(path)),
            upgrade,
            offered,
            authorization: credentials.map(|value| told::scheme(&value).to_owned()),
            quirks: quirks
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, name)| name.to_owned())
                .collect(),
            target_range: target,
            hosts,
            target: told::without_secrets(&raw),
        }
    }

    /// The value of `Authorization` as it was sent; `None` if there is not exactly one. `head` must be the bytes that this
    /// request was read from.
    pub fn login(&self, head: &[u8]) -> Option<Secret> {
        let range = self.credentials.clone()?;
        Some(Secret::new(head[range].trim_ascii()))
    }

    /// The head as the authority gets it: `head` with the value of `Host` and the base path replaced, every other byte
    /// as it was. `head` must be the bytes that this request was read from.
    pub fn rewrite(&self, head: &[u8], base_path: &str, backend: &Backend) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len + 128);
        out.extend_from_slice(&head[..self.target_range.start]);
        out.extend(rebase(
            &head[self.target_range.clone()],
            base_path,
            backend.base_path(),
        ));
        let mut at = self.target_range.end;
        for host in &self.hosts {
            out.extend_from_slice(&head[at..host.start]);
            out.extend_from_slice(backend.host_header().as_bytes());
            at = host.end;
        }
        out.extend_from_slice(&head[at..self.len]);
        out
    }
}

/// Replaces `from` by `to` at the start of the target's path; a target outside `from` stays as it is.
fn rebase(target: &[u8], from: &str, to: &str) -> Vec<u8> {
    // Percent-encoding would shift offsets: every byte that is not ASCII stands for itself here.
    let text: String = target.iter().map(|&byte| ascii_or(byte, 'x')).collect();
    let path = path_range(&text);
    let Some(below) = strip_base(&text[path.clone()], from) else {
        return target.to_vec();
    };
    let kept = &target[path.end - below.len()..];
    let slash = if to.is_empty() && below.is_empty() {
        "/"
    } else {
        ""
    };
    [&target[..path.start], to.as_bytes(), slash.as_bytes(), kept].concat()
}

/// The path within a target, query and fragment cut off: all of it in origin form, what follows the host in absolute form.
fn path_range(target: &str) -> Range<usize> {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let start = match target[..end].find("://") {
        Some(scheme) if !target.starts_with('/') => {
            let host = scheme + 3;
            target[host..end]
                .find('/')
                .map_or(end, |slash| host + slash)
        }
        _ => 0,
    };
    start..end
}

/// What follows the base path, `None` if the path does not lie below it.
fn strip_base<'a>(path: &'a str, base_path: &str) -> Option<&'a str> {
    let base = base_path.trim_end_matches('/');
    path.strip_prefix(base)
        .filter(|below| base.is_empty() || below.is_empty() || below.starts_with('/'))
}

fn identity(path: &str) -> Option<String> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    (!last.is_empty()).then(|| last.to_owned())
}

/// A copy in which bytes that the parser would stumble over are letters. Line ends and tabs stay, and so does the first
/// word, by which HTTP is told from anything else.
fn harmless_copy(bytes: &[u8]) -> Vec<u8> {
    let mut copy = bytes[..bytes.len().min(MAX_HEAD)].to_vec();
    let behind_first_word = copy.iter().skip_while(|&&byte| byte != b' ').count();
    let start = copy.len() - behind_first_word;
    for byte in &mut copy[start..] {
        if !matches!(byte, b'\r' | b'\n' | b'\t' | b' '..=b'~') {
            *byte = b'x';
        }
    }
    copy
}

fn ascii_or(byte: u8, other: char) -> char {
    if byte.is_ascii() {
        char::from(byte)
    } else {
        other
    }
}

/// Text of raw bytes: printable ASCII as it is, every other byte percent-encoded.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() || byte == b' ' {
            text.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
            text.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    text
}

fn complete(parsed: httparse::Result<usize>, have: usize) -> Result<Option<usize>, HeadError> {
    match parsed {
        Ok(httparse::Status::Complete(len)) => Ok(Some(len)),
        Ok(httparse::Status::Partial) if have >= MAX_HEAD => Err(HeadError::TooLong),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooManyFields),
        Err(_) => Err(HeadError::Unreadable),
    }
}

/// Where a slice lies within the buffer that it was borrowed from.
fn range_in(buffer: &[u8], slice: &[u8]) -> Range<usize> {
    let start = slice.as_ptr() as usize - buffer.as_ptr() as usize;
    start..start + slice.len()
}

struct Fields<'a> {
    copy: &'a [u8],
    original: &'a [u8],
    parsed: &'a [httparse::Header<'a>],
}

impl Fields<'_> {
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a httparse::Header<'a>> {
        self.parsed
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// Whether the connection carries another exchange after this one, by RFC 9112 section 9.3.
    fn stays_open(&self, is_http_1_1: bool) -> bool {
        let says = |word: &str| {
            self.joined("connection").is_some_and(|options| {
                options
                    .split(',')
                    .any(|option| option.trim().eq_ignore_ascii_case(word))
            })
        };
        !says("close") && (is_http_1_1 || says("keep-alive"))
    }

    fn body(&self, status: u16) -> Option<Body> {
        let (encoding, length) = (
            self.joined("transfer-encoding"),
            self.joined("content-length"),
        );
        Body::of(status, encoding.as_deref(), length.as_deref())
    }

    fn ranges<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.named(name)
            .map(|field| range_in(self.copy, field.value))
    }

    fn joined(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .ranges(name)
            .map(|range| printable(&self.original[range]))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    const HEAD: &str = "GET /ocpp//CP%201?x=/9 HTTP/1.1\r\nhOST:\t tap:1 \r\nUPGRADE: WebSocket\r\n\
                        X-Odd : kept\r\nAuthorization: Basic c2VjcmV0\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\
                        sec-websocket-protocol:ocpp2.0.1\r\n\r\n";

    fn backend(url: &str) -> Backend {
        Backend::parse(url).unwrap()
    }

    fn rewritten(head: &[u8], base: &str, url: &str) -> String {
        let request = read_request(head, base).unwrap().unwrap();
        String::from_utf8_lossy(&request.rewrite(head, base, &backend(url))).into_owned()
    }

    #[test]
    fn a_request_is_read_without_its_secrets() {
        let request = read_request(HEAD.as_bytes(), "/ocpp").unwrap().unwrap();
        assert_eq!(request.identity.as_deref(), Some("CP%201"));
        assert_eq!(request.target, "/ocpp//CP%201?x=***");
        assert_eq!(request.offered.as_deref(), Some("ocpp1.6, ocpp2.0.1"));
        assert_eq!(request.authorization.as_deref(), Some("Basic"));
        assert!(request.upgrade);
        assert!(!format!("{request:?}").contains("c2VjcmV0"));
        assert_eq!(
            request.quirks,
            [
                "double slash in path",
                "percent-encoded path",
                "no Connection header"
            ]
        );
    }

    #[test]
    fn a_password_in_hex_digits_is_told_and_nothing_of_it() {
        let digits = "00112233445566778899aabbccddeeff";
        for (password, offered, told) in [
            (digits, "ocpp1.6", true),
            (digits, "ocpp2.0.1", false),
            ("not hex, though as long as a key", "ocpp1.6", false),
            ("00112233", "ocpp1.6", false),
        ] {
            let login = STANDARD.encode(format!("CP1:{password}"));
            let head = format!(
                "GET /CP1 HTTP/1.1\r\nConnection: Upgrade\r\nAuthorization: Basic {login}\r\n\
                 Sec-WebSocket-Protocol: {offered}\r\n\r\n"
            );
            let request = read_request(head.as_bytes(), "").unwrap().unwrap();
            let is_told = request.quirks.iter().any(|quirk| quirk == HEX_PASSWORD);
            assert_eq!(is_told, told, "{password} {offered}");
        }
    }

    #[test]
    fn secrets_in_odd_places_are_not_told() {
        for (target, header, told, scheme) in [
            (
                "/CP1?token=CANARY&v",
                "Basic\tCANARY",
                "/CP1?token=***&v",
                "unknown",
            ),
            (
                "ws://u:CANARY@tap/CP1",
                "CANARY",
                "ws://***@tap/CP1",
                "unknown",
            ),
            ("/a@b/CP1", "bEARER CANARY", "/a@b/CP1", "Bearer"),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nAuthorization: {header}\r\n\r\n");
            let request = read_request(head.as_bytes(), "").unwrap().unwrap();
            assert_eq!(request.target, told);
            assert_eq!(request.authorization.as_deref(), Some(scheme));
            assert!(!format!("{request:?}").contains("CANARY"), "{request:?}");
            let sent = request.rewrite(head.as_bytes(), "", &backend("ws://c"));
            assert_eq!(sent, head.as_bytes(), "what is told is not what is sent");
        }
    }

    #[test]
    fn only_host_and_base_path_change() {
        assert_eq!(
            rewritten(HEAD.as_bytes(), "/ocpp", "ws://csms:9000/steve/"),
            HEAD.replace("/ocpp//CP", "/steve//CP")
                .replace("tap:1", "csms:9000")
        );
        assert_eq!(
            rewritten(HEAD.as_bytes(), "", "ws://csms"),
            HEAD.replace("tap:1", "csms")
        );
    }

    #[test]
    fn targets_are_rebased_at_segment_borders_only() {
        for (target, base, to, expected) in [
            ("/CP1", "", "/a", "/a/CP1"),
            ("/ocpp/CP1", "/ocpp/", "", "/CP1"),
            ("/ocpp", "/ocpp", "", "/"),
            ("/ocpp?q", "/ocpp", "/a", "/a?q"),
            ("/ocppx/CP1", "/ocpp", "/a", "/ocppx/CP1"),
            ("ws://tap/ocpp/CP1", "/ocpp", "/a", "ws://tap/a/CP1"),
            ("ws://tap", "", "/a", "ws://tap/a"),
            ("/CP1?u=ws://x/y", "", "/a", "/a/CP1?u=ws://x/y"),
        ] {
            let text = rebase(target.as_bytes(), base, to);
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn identities_are_raw() {
        for (target, expected) in [
            (&b"/a/CP%2F1"[..], Some("CP%2F1")),
            (b"/a/../CP1/", Some("CP1")),
            (b"http://tap.example/CP1", Some("CP1")),
            (b"http://tap.example", None),
            (b"/", None),
            (b"/CP\xff\x00", Some("CP%FF%00")),
            (b"/CP1?id=2", Some("CP1")),
        ] {
            let head = [b"GET ", target, b" HTTP/1.1\r\n\r\n"].concat();
            let request = read_request(&head, "").unwrap().unwrap();
            assert_eq!(request.identity.as_deref(), expected, "{target:?}");
        }
    }

    #[test]
    fn raw_bytes_pass_unchanged() {
        let head = b"GET /\xe4/\x01CP1 HTTP/1.1\r\nX: \xff\x00\r\nHost: a\r\nHost: b\r\n\r\n";
        let request = read_request(head, "").unwrap().unwrap();
        assert_eq!(
            request.rewrite(head, "", &backend("ws://c")),
            b"GET /\xe4/\x01CP1 HTTP/1.1\r\nX: \xff\x00\r\nHost: c\r\nHost: c\r\n\r\n"
        );
    }

    #[test]
    fn reading_is_limited() {
        let long = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'a'; MAX_HEAD]].concat();
        assert_eq!(read_request(&long, ""), Err(HeadError::TooLong));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
        assert_eq!(
            read_request(many.as_bytes(), ""),
            Err(HeadError::TooManyFields)
        );
        assert_eq!(
            read_request(b"\x16\x03\x01\x02", ""),
            Err(HeadError::Unreadable)
        );
    }

    #[test]
    fn responses_are_read_leniently() {
        let head =
            b"HTTP/1.1 101\r\nSec-WebSocket-Protocol : ocpp1.6\r\nX:\r\n folded\r\n\r\n\x81\x00";
        let response = read_response(head).unwrap().unwrap();
        assert_eq!((response.status, response.len), (101, head.len() - 2));
        assert_eq!(response.subprotocol.as_deref(), Some("ocpp1.6"));
        assert_eq!(read_response(b"HTTP/1.1 101 Swi").unwrap(), None);
        assert_eq!(read_response(b"SSH-2.0-x\r\n"), Err(HeadError::Unreadable));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_a_plain_rewrite_changes_nothing(
            line in prop::collection::vec(any::<u8>(), 0..40),
            rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let head = [b"GET /", line.as_slice(), b" HTTP/1.1\r\n", &rest, b"\r\n\r\n"].concat();
            if let Ok(Some(request)) = read_request(&head, "/b") && request.hosts.is_empty() {
                let same = request.rewrite(&head, "", &backend("ws://h"));
                prop_assert_eq!(same, &head[..request.len]);
            }
        }
    }
}
