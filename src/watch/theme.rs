//! How states look: mark and word first, colour last.
//!
//! Three levels of colour (256 and more, 16, attributes only), two sets of marks (Unicode, ASCII). The palette is told
//! apart by people with any of the usual colour-vision deficiencies: blue, orange and vermilion after Okabe and Ito,
//! never red against green. What is selected is shown in reverse video.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// 256 or more.
    Many,
    /// The sixteen of old.
    Sixteen,
    /// None: bold, dim and reverse video only.
    None,
}

/// What a text is, for its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// What matters less.
    Dim,
    /// Headings.
    Head,
    /// Equal, GO.
    Good,
    /// Explained, noted.
    Note,
    /// Missing evidence, HOLD.
    Warn,
    /// Divergent, NO-GO.
    Bad,
    /// What must be seen at once: reverse video at every level.
    Alarm,
    /// The selected row.
    Selected,
    /// Names of keys.
    Key,
}

/// A mark that stands before a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Met, GO.
    Go,
    /// GO with exceptions.
    Exception,
    /// HOLD.
    Hold,
    /// No fresh data.
    Stale,
    /// Failed, NO-GO.
    NoGo,
    /// Nothing decides about it.
    Absent,
}

/// The looks of one terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// How many colours it has.
    pub colours: Colours,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

/// What decides about looks besides the terminal: flags and variables.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// `--color`: `auto`, `never`, `16` or `256`.
    pub color: Option<String>,
    /// `--ascii`.
    pub ascii: bool,
}

impl Theme {
    /// Flag before `EVENKEEL_COLOR` before `NO_COLOR` before what the terminal says of itself; `variable` reads the
    /// environment.
    pub fn decide(wishes: &Wishes, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let asked_for = [wishes.color.clone(), set("EVENKEEL_COLOR")]
            .into_iter()
            .flatten()
            .find_map(|word| colours(&word));
        let able = || {
            let terminal = set("TERM").unwrap_or_default();
            let true_colour = set("COLORTERM").is_some();
            match terminal.as_str() {
                "" | "dumb" => Colours::None,
                name if true_colour || name.contains("256") || name.contains("direct") => {
                    Colours::Many
                }
                _ => Colours::Sixteen,
            }
        };
        let colours = match asked_for {
            Some(colours) => colours,
            None if set("NO_COLOR").is_some() => Colours::None,
            None => able(),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        });
        Self {
            colours,
            unicode: utf8 && !wishes.ascii,
        }
    }

    /// How a text of this tone is set.
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        match tone {
            Tone::Plain => plain,
            Tone::Dim => self.coloured(plain, (245, Color::DarkGray), Modifier::DIM),
            Tone::Head | Tone::Key => bold,
            Tone::Good => self.coloured(plain, (37, Color::Cyan), Modifier::empty()),
            Tone::Note => self.coloured(plain, (32, Color::Blue), Modifier::empty()),
            Tone::Warn => self.coloured(plain, (214, Color::Yellow), Modifier::BOLD),
            Tone::Bad => self.coloured(bold, (202, Color::Red), Modifier::empty()),
            Tone::Alarm => bold.add_modifier(Modifier::REVERSED),
            Tone::Selected => plain.add_modifier(Modifier::REVERSED),
        }
    }

    /// A colour where there are some, an attribute where there is none.
    fn coloured(self, style: Style, (many, sixteen): (u8, Color), else_set: Modifier) -> Style {
        match self.colours {
            Colours::Many => style.fg(Color::Indexed(many)),
            Colours::Sixteen => style.fg(sixteen),
            Colours::None => style.add_modifier(else_set),
        }
    }

    /// A mark as text, three columns wide in ASCII and one in Unicode.
    pub const fn mark(self, mark: Mark) -> &'static str {
        match (mark, self.unicode) {
            (Mark::Go, true) => "✓",
            (Mark::Go, false) => "[+]",
            (Mark::Exception, true) => "▲",
            (Mark::Exception, false) => "[!]",
            (Mark::Hold, true) => "○",
            (Mark::Hold, false) => "[?]",
            (Mark::Stale, true) => "◌",
            (Mark::Stale, false) => "[~]",
            (Mark::NoGo, true) => "✗",
            (Mark::NoGo, false) => "[x]",
            (Mark::Absent, true) => "·",
            (Mark::Absent, false) => "[-]",
        }
    }

    /// Lines around panes.
    pub const fn border(self) -> border::Set<'static> {
        if self.unicode {
            return border::PLAIN;
        }
        border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        }
    }

    /// A line across.
    pub const fn rule(self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }

    /// Bars of a small chart, lowest first.
    pub const fn bars(self) -> [&'static str; 8] {
        if self.unicode {
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        } else {
            [".", ":", "-", "=", "+", "*", "%", "#"]
        }
    }

    /// A small chart of counts, as wide as there are counts; nothing is a space.
    pub fn chart(self, counts: &[u64]) -> String {
        let bars = self.bars();
        let most = counts.iter().copied().max().unwrap_or_default();
        let bar = |count: u64| match count {
            0 => " ",
            _ => bars[((count * 8).div_ceil(most).max(1) - 1).min(7) as usize],
        };
        counts.iter().map(|count| bar(*count)).collect()
    }
}

fn colours(word: &str) -> Option<Colours> {
    match word {
        "never" | "none" | "0" => Some(Colours::None),
        "16" => Some(Colours::Sixteen),
        "always" | "256" => Some(Colours::Many),
        _ => None,
    }
}

/// The tone of an outcome's row mark.
pub fn tone_of(mark: char) -> Tone {
    match mark {
        '=' => Tone::Good,
        '~' => Tone::Note,
        'x' => Tone::Bad,
        'n' | 's' => Tone::Warn,
        _ => Tone::Dim,
    }
}

/// The mark and tone of a verdict's word.
pub fn of_verdict(word: &str) -> (Mark, Tone) {
    match word {
        "GO" => (Mark::Go, Tone::Good),
        "HOLD" => (Mark::Hold, Tone::Warn),
        "STALE" => (Mark::Stale, Tone::Warn),
        "NO-GO" => (Mark::NoGo, Tone::Bad),
        "ROLL BACK" => (Mark::NoGo, Tone::Alarm),
        _ => (Mark::Exception, Tone::Note),
    }
}

/// The row mark of an outcome's word: `=`, `~`, `x`, `n`, or `.` while it is pending.
pub fn mark_of(outcome: &str) -> char {
    match outcome {
        "equal" => '=',
        "explained" => '~',
        "divergent" => 'x',
        "" | "pending" => '.',
        _ => 'n',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(wishes: &Wishes, variables: &[(&str, &str)]) -> Theme {
        Theme::decide(wishes, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_comes_before_variables_and_they_before_the_terminal() {
        let none = Wishes::default();
        let many = [("TERM", "xterm-256color"), ("LANG", "de_DE.UTF-8")];
        let theme = decided(&none, &many);
        assert_eq!((theme.colours, theme.unicode), (Colours::Many, true));
        let term = ("TERM", "xterm-256color");
        assert_eq!(
            decided(&none, &[term, ("NO_COLOR", "1")]).colours,
            Colours::None
        );
        assert_eq!(
            decided(&none, &[term, ("NO_COLOR", "")]).colours,
            Colours::Many
        );
        let both = [term, ("NO_COLOR", "1"), ("EVENKEEL_COLOR", "16")];
        assert_eq!(decided(&none, &both).colours, Colours::Sixteen);
        let flag = Wishes {
            color: Some("never".to_owned()),
            ascii: true,
        };
        let theme = decided(&flag, &[("EVENKEEL_COLOR", "256"), ("LANG", "C.UTF-8")]);
        assert_eq!((theme.colours, theme.unicode), (Colours::None, false));
        assert_eq!(
            decided(&none, &[("TERM", "vt100")]).colours,
            Colours::Sixteen
        );
        assert!(!decided(&none, &[("LANG", "C")]).unicode);
    }

    #[test]
    fn a_chart_is_as_wide_as_its_counts() {
        let ascii = Theme {
            colours: Colours::None,
            unicode: false,
        };
        assert_eq!(ascii.chart(&[0, 1, 4, 8]), " .=#");
        assert_eq!(ascii.chart(&[]), "");
    }

    #[test]
    fn without_colours_no_style_has_one() {
        let plain = Theme {
            colours: Colours::None,
            unicode: true,
        };
        let tones = [
            Tone::Plain,
            Tone::Dim,
            Tone::Head,
            Tone::Good,
            Tone::Note,
            Tone::Warn,
            Tone::Bad,
            Tone::Alarm,
            Tone::Selected,
            Tone::Key,
        ];
        for tone in tones {
            let style = plain.style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
    }
}
