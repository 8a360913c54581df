//! What may be told of a request: how a charger logs in, never with what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::path_range;
use crate::live::secret::Secret;

/// The schemes of `Authorization` that are told by name: any other first word may be the credentials themselves.
pub const SCHEMES: [&str; 5] = ["Basic", "Bearer", "Digest", "Negotiate", "NTLM"];

/// The name of what is odd about a charger that sends the digits of its key instead of the bytes.
pub const HEX_PASSWORD: &str = "password in hex digits";

/// How many hex digits an `AuthorizationKey` of 1.6 has: 16 to 20 bytes.
const KEY_DIGITS: std::ops::RangeInclusive<usize> = 32..=40;

/// The scheme in the value of an `Authorization` header.
pub(super) fn scheme(value: &str) -> &'static str {
    let first = value.split(' ').next().unwrap_or_default();
    SCHEMES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(first))
        .unwrap_or("unknown")
}

/// Whether the password in a Basic log-in looks like the digits of a 1.6 key. What is decoded for that is wiped.
pub(super) fn is_hex_password(value: &str) -> bool {
    let Some((_, encoded)) = value.split_once(' ').filter(|_| scheme(value) == "Basic") else {
        return false;
    };
    let Ok(login) = STANDARD.decode(encoded.trim()) else {
        return false;
    };
    let login = Secret::new(login);
    let mut parts = login.expose().splitn(2, |byte| *byte == b':');
    let password = parts.nth(1).unwrap_or_default();
    KEY_DIGITS.contains(&password.len())
        && password.len().is_multiple_of(2)
        && password.iter().all(u8::is_ascii_hexdigit)
}

/// A target whose log-in (absolute form) and query values are replaced by stars: some chargers put their password there.
pub(super) fn without_secrets(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let host = path_range(path).start;
    let (authority, path) = path.split_at(host);
    let mut text = match (authority.find("://"), authority.rfind('@')) {
        (Some(scheme), Some(at)) => format!("{}***{}", &authority[..scheme + 3], &authority[at..]),
        _ => authority.to_owned(),
    };
    text.push_str(path);
    for (index, pair) in query.split('&').enumerate() {
        text.push_str(if index == 0 { "" } else { "&" });
        match pair.split_once('=') {
            Some((name, _)) => text.extend([name, "=***"]),
            None => text.push_str(pair),
        }
    }
    text
}
