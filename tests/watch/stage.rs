//! A dashboard on a made-up terminal, pressed by hand.

#![allow(dead_code, reason = "each screen's tests use their own part")]

use evenkeel::watch::app::{App, Effect, Event, Setup};
use evenkeel::watch::books::Books;
use evenkeel::watch::keys::Key;
use evenkeel::watch::still;
use evenkeel::watch::text::Zone;
use evenkeel::watch::theme::{Colours, Theme};

use crate::night::{NOW, Night};

/// Looks and sizes of the golden screens.
pub(crate) const UNICODE: Theme = Theme {
    colours: Colours::Many,
    unicode: true,
};
pub(crate) const ASCII: Theme = Theme {
    colours: Colours::Sixteen,
    unicode: false,
};
pub(crate) const ATTRIBUTES: Theme = Theme {
    colours: Colours::None,
    unicode: false,
};

/// The sizes at which every screen has been looked at.
pub(crate) const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (60, 15), (40, 10)];

/// A dashboard that answers itself.
pub(crate) struct Stage<'a> {
    pub(crate) app: App,
    pub(crate) books: Books,
    pub(crate) now: i64,
    setup: Setup,
    size: (u16, u16),
    _night: &'a Night,
}

impl<'a> Stage<'a> {
    /// Opens it on a night, as it is seen right after its last fact; nobody may write.
    pub(crate) fn open(night: &'a Night, theme: Theme, size: (u16, u16)) -> Self {
        Self::of(night, theme, size, None)
    }

    /// The same for somebody who may write.
    pub(crate) fn operated(night: &'a Night, size: (u16, u16), operator: &str) -> Self {
        Self::of(night, UNICODE, size, Some(operator))
    }

    fn of(night: &'a Night, theme: Theme, size: (u16, u16), operator: Option<&str>) -> Self {
        let books = Books::open(&night.place()).unwrap().looked_at(NOW);
        let setup = Setup {
            operator: operator.map(str::to_owned),
            theme,
            zone: Zone::Fixed(3_600),
            mask: "a run".to_owned(),
            reveal: false,
            demo: false,
            role: String::new(),
            filters: vec![("tonight".to_owned(), "since:8h".to_owned())],
        };
        let mut stage = Self {
            app: App::new(setup.clone()),
            books,
            now: NOW,
            setup,
            size,
            _night: night,
        };
        stage.begin();
        stage
    }

    /// The same dashboard, opened once more.
    pub(crate) fn reopen(&mut self) {
        self.app = App::new(self.setup.clone());
        self.now = NOW;
        self.begin();
    }

    fn begin(&mut self) {
        self.tell(Event::Size(self.size.0, self.size.1));
        still::pulse(&mut self.app, &self.books, self.now);
    }

    /// Tells it an event; gives back what is to be done outside.
    pub(crate) fn tell(&mut self, event: Event) -> Vec<Effect> {
        still::settle(&mut self.app, &self.books, event, self.now)
    }

    /// Presses keys: characters, and names such as `<Enter>` or `<Space>`.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in parse(keys) {
            effects.extend(self.tell(Event::Key(key)));
        }
        effects
    }

    /// Another size.
    pub(crate) fn resize(&mut self, (width, height): (u16, u16)) {
        self.tell(Event::Size(width, height));
    }

    /// What is to be seen, as text.
    pub(crate) fn picture(&self) -> String {
        steady(&still::picture(&self.app))
    }
}

/// The same with what depends on the machine left out: the size of files and of the disk.
fn steady(picture: &str) -> String {
    let line = |line: &str| match line.split_once(" free") {
        Some((before, after)) if before.contains("iB, ") => {
            let start = before.find("recording").unwrap();
            let Some(end) = after.find(['|', '│']) else {
                // Nothing stands behind it: how wide it was does not show.
                return format!("{}recording    (depends on the disk)", &line[..start]);
            };
            let gone =
                line.chars().count() - line[..start].chars().count() - after[end..].chars().count();
            format!(
                "{}{:<gone$}{}",
                &line[..start],
                "recording    (depends on the disk)",
                &after[end..]
            )
        }
        _ => line.to_owned(),
    };
    picture
        .lines()
        .map(|text| line(text).trim_end().to_owned() + "\n")
        .collect()
}

fn parse(keys: &str) -> Vec<Key> {
    let mut out = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        if first == '<' {
            let (name, after) = rest[1..].split_once('>').unwrap();
            out.push(named(name));
            rest = after;
        } else {
            out.push(Key::Char(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn named(name: &str) -> Key {
    match name {
        "Enter" => Key::Enter,
        "Esc" => Key::Esc,
        "Tab" => Key::Tab,
        "Up" => Key::Up,
        "Down" => Key::Down,
        "Left" => Key::Left,
        "Right" => Key::Right,
        "PgUp" => Key::PageUp,
        "PgDn" => Key::PageDown,
        "Space" => Key::Char(' '),
        "Backspace" => Key::Backspace,
        other => panic!("no key {other}"),
    }
}

/// Snapshots of a screen at every size, in every look: `NAME-120x40-unicode` and so on. Sizes without room for more than text
/// look the same in all of them but for marks.
#[track_caller]
pub(crate) fn golden(name: &str, night: &Night, keys: &str) {
    for (look, theme) in [
        ("unicode", UNICODE),
        ("ascii", ASCII),
        ("attributes", ATTRIBUTES),
    ] {
        for (width, height) in SIZES {
            let mut stage = Stage::open(night, theme, (width, height));
            stage.press(keys);
            let picture = stage.picture();
            if look == "attributes" {
                // The same text as in ASCII; what it looks like is tested with the bytes that a terminal gets.
                let mut ascii = Stage::open(night, ASCII, (width, height));
                ascii.press(keys);
                assert_eq!(picture, ascii.picture());
                continue;
            }
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path("snapshots");
            settings.set_prepend_module_to_snapshot(false);
            settings.bind(|| {
                insta::assert_snapshot!(format!("{name}-{width}x{height}-{look}"), picture);
            });
        }
    }
}
