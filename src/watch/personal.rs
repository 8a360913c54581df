//! Which fields of messages and records name a person or a thing that leads to one: hidden while masking is on.

use super::mask::Mask;

/// Members whose values are masked, in whatever message they stand; without their underscores and in lower case.
const PERSONAL: [&str; 22] = [
    "additionalidtoken",
    "authorizationreference",
    "chargeboxserialnumber",
    "chargepointserialnumber",
    "contract",
    "contractid",
    "emaid",
    "groupidtoken",
    "iccid",
    "idtag",
    "idtoken",
    "imsi",
    "issuer",
    "meterserialnumber",
    "parentidtag",
    "remoteauthorizationid",
    "serialnumber",
    "token",
    "uid",
    "username",
    "vin",
    "visualnumber",
];

/// A value as it may be shown, by the path that it stands at.
pub fn masked(path: &str, value: &str, mask: &Mask) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let name = name.split('[').next().unwrap_or(name);
    hide(name, value, mask)
}

/// A line of spread JSON as it may be shown.
pub fn masked_line(line: &str, mask: &Mask) -> String {
    let name_and_value = line
        .trim_start()
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\": "));
    let Some((name, value)) = name_and_value else {
        return mask.message(line);
    };
    if value.starts_with(['{', '[']) || !mask.is_on() || !is_personal(name) {
        return mask.message(line);
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    let (value, comma) = match value.strip_suffix(',') {
        Some(value) => (value, ","),
        None => (value, ""),
    };
    format!("{indent}\"{name}\": {}{comma}", hide(name, value, mask))
}

fn hide(name: &str, value: &str, mask: &Mask) -> String {
    if !mask.is_on() || !is_personal(name) || value.starts_with('(') {
        return mask.message(value);
    }
    match value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(text) if !text.is_empty() => format!("\"{}\"", mask.tag(text)),
        Some(_) => value.to_owned(),
        None => mask.tag(value),
    }
}

fn is_personal(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    PERSONAL.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_hidden_and_the_rest_is_not() {
        let mask = Mask::new("run", true);
        let tag = mask.tag("04B1");
        assert_eq!(
            masked("idTagInfo.parentIdTag", "\"04B1\"", &mask),
            format!("\"{tag}\"")
        );
        assert_eq!(masked("idToken.idToken", "04B1", &mask), tag);
        assert_eq!(
            masked("idTagInfo.status", "\"Blocked\"", &mask),
            "\"Blocked\""
        );
        assert_eq!(masked("idTag", "(absent)", &mask), "(absent)");
        assert_eq!(
            masked_line("  \"idTag\": \"04B1\",", &mask),
            format!("  \"idTag\": \"{tag}\",")
        );
        assert_eq!(
            masked_line("  \"meterStop\": 17", &mask),
            "  \"meterStop\": 17"
        );
        let open = Mask::new("run", false);
        assert_eq!(masked("idTag", "\"04B1\"", &open), "\"04B1\"");
    }
}
