//! Numbers as people read them.

/// A count with its thousands set apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 charger`, `2,000 chargers`.
pub fn counted(count: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        grouped(count),
        if count == 1 { "" } else { "s" }
    )
}

/// A share as per cent with two digits that say something: `0.34 %`, `7.8 %`, `100 %`.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 99.95 {
        "100 %".to_owned()
    } else if percent >= 10.0 {
        format!("{percent:.0} %")
    } else if percent >= 1.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.2} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let said = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(said, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [counted(1, "tag"), counted(2_000, "tag")],
            ["1 tag", "2,000 tags"]
        );
        let shares = [0.000_12, 0.0034, 0.078, 0.5, 1.0].map(percent);
        assert_eq!(shares, ["0.01 %", "0.34 %", "7.8 %", "50 %", "100 %"]);
    }
}
