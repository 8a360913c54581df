//! The bytes that a real terminal gets.

use evenkeel::watch::theme::Theme;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::night::Night;
use crate::stage::{ASCII, ATTRIBUTES, Stage, UNICODE};

/// Everything that is sent for a walk through the screens.
fn sent(night: &Night, theme: Theme) -> String {
    let mut stage = Stage::open(night, theme, (120, 40));
    let mut bytes = Vec::new();
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::new(0, 0, 120, 40)),
    };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), options).unwrap();
    for keys in [
        "1", "2", "3", "4", "5", "6", "?", "<Esc>", "/x:", "<Esc>", "<Space>", "z", "T",
    ] {
        stage.press(keys);
        terminal.draw(|frame| stage.app.draw(frame)).unwrap();
    }
    drop(terminal);
    String::from_utf8(bytes).unwrap()
}

/// Parameters of sequences that set a colour; going back to the terminal's own (39, 49) is none.
pub(crate) fn colours(sent: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for sequence in sent.split("\u{1b}[").skip(1) {
        let Some((parameters, _)) = sequence.split_once('m') else {
            continue;
        };
        if !parameters.chars().all(|c| c.is_ascii_digit() || c == ';') {
            continue;
        }
        let numbers = parameters
            .split(';')
            .filter_map(|number| number.parse().ok());
        found.extend(numbers.filter(|number| matches!(number, 30..=38 | 40..=48 | 90..=107)));
    }
    found
}

#[test]
fn without_colours_no_colour_is_sent() {
    let night = Night::whole();
    assert_eq!(colours(&sent(&night, ATTRIBUTES)), Vec::<u32>::new());
    assert!(
        sent(&night, ATTRIBUTES).contains("\u{1b}[7m"),
        "what is selected is in reverse video"
    );
}

#[test]
fn levels_of_colour_keep_to_what_the_terminal_knows() {
    let night = Night::whole();
    let sixteen = colours(&sent(&night, ASCII));
    assert!(!sixteen.is_empty() && !sixteen.contains(&48), "{sixteen:?}");
    // In 16 colours no sequence asks for one of 256 other than the first sixteen.
    let asked = sent(&night, ASCII);
    for part in asked.split("38;5;").skip(1) {
        let (number, _) = part.split_once(['m', ';']).unwrap();
        assert!(number.parse::<u32>().unwrap() < 16, "{number}");
    }
    assert!(sent(&night, UNICODE).contains("38;5;"));
}

#[test]
fn ascii_means_ascii() {
    let night = Night::whole();
    let text = sent(&night, ASCII);
    let odd: String = text.chars().filter(|c| !c.is_ascii()).take(20).collect();
    assert!(odd.is_empty(), "{odd}");
}
