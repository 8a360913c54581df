//! The command line behind `:`: words for what keys do, and for what no key does.

use super::{App, Effect};
use crate::watch::help::Help;
use crate::watch::keys::Action;
use crate::watch::trace::Trace;

/// What a command does.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    Key(Action),
    Filter,
    Save,
    Charger,
    Acknowledge,
    Reconnect,
    Triage,
}

/// A command: its word, what it does, and a sentence.
struct Command(&'static str, Meaning, &'static str);

const COMMANDS: &[Command] = &[
    Command(
        "board",
        Meaning::Key(Action::Screen(1)),
        "Which group needs me.",
    ),
    Command("diffs", Meaning::Key(Action::Screen(2)), "What differs."),
    Command(
        "sessions",
        Meaning::Key(Action::Screen(3)),
        "Sessions and CDRs.",
    ),
    Command(
        "gate",
        Meaning::Key(Action::Screen(4)),
        "May this group go.",
    ),
    Command(
        "feed",
        Meaning::Key(Action::Screen(5)),
        "What is happening right now.",
    ),
    Command(
        "tap",
        Meaning::Key(Action::Screen(6)),
        "Is the instrument healthy.",
    ),
    Command("filter", Meaning::Filter, "Sets the filter: filter TEXT."),
    Command(
        "save",
        Meaning::Save,
        "Saves this screen's filter, for f: save NAME.",
    ),
    Command(
        "charger",
        Meaning::Charger,
        "Opens the newest messages of a charger: charger IDENTITY.",
    ),
    Command(
        "ack",
        Meaning::Acknowledge,
        "Silences the alarms that are shown: ack NAME.",
    ),
    Command(
        "triage",
        Meaning::Triage,
        "Says what is to become of a finding: triage F-12345678.",
    ),
    Command(
        "reconnect",
        Meaning::Reconnect,
        "Reads the recording again now.",
    ),
    Command(
        "freeze",
        Meaning::Key(Action::Freeze),
        "Holds the screen still, or lets it go on.",
    ),
    Command(
        "snapshot",
        Meaning::Key(Action::Evidence),
        "Keeps the screen as evidence.",
    ),
    Command(
        "copy",
        Meaning::Key(Action::Copy),
        "Copies what is selected.",
    ),
    Command(
        "privacy",
        Meaning::Key(Action::Privacy),
        "Masks identifiers, or shows them.",
    ),
    Command("tour", Meaning::Key(Action::Tour), "Starts the tour."),
    Command("help", Meaning::Key(Action::Help), "Shows the keys."),
    Command(
        "quit",
        Meaning::Key(Action::Leave),
        "Leaves; the tap keeps running.",
    ),
];

/// The commands that begin so.
pub(super) fn complete(text: &str) -> impl Iterator<Item = &'static str> {
    let words = COMMANDS.iter().map(|Command(word, ..)| *word);
    words.filter(move |word| word.starts_with(text.trim_start()))
}

/// Every command with its sentence, for the help.
pub(in crate::watch) fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMANDS.iter().map(|Command(word, _, help)| (*word, *help))
}

impl App {
    /// Carries a command out. An unambiguous beginning of its word is enough.
    pub(super) fn command(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if word.is_empty() {
            return;
        }
        let exact = COMMANDS.iter().find(|Command(name, ..)| *name == word);
        let mut begun = COMMANDS
            .iter()
            .filter(|Command(name, ..)| name.starts_with(word));
        let (first, second) = (begun.next(), begun.next());
        let Some(Command(_, meaning, _)) = exact.or(if second.is_none() { first } else { None })
        else {
            self.say(format!("no command {word:?}; Tab completes, ? lists them"));
            return;
        };
        self.obey(*meaning, rest.trim(), effects);
    }

    fn obey(&mut self, meaning: Meaning, rest: &str, effects: &mut Vec<Effect>) {
        match meaning {
            Meaning::Key(Action::Leave) => effects.push(Effect::Leave { print: false }),
            Meaning::Key(Action::Help) => {
                self.overlay = Some(super::Overlay::Help(Help::default()));
            }
            Meaning::Key(action) => self.act(action, effects),
            Meaning::Filter => self.set_filter(rest),
            Meaning::Save if rest.is_empty() => self.say("under which name? save NAME"),
            Meaning::Save => self.keep_filter(rest, effects),
            Meaning::Charger if rest.is_empty() => self.say("which charger? charger IDENTITY"),
            Meaning::Charger => {
                let charger = self.mask.reveal(rest);
                let last = self.pulse.as_ref().map_or(0, |pulse| pulse.facts);
                self.path.push(Box::new(Trace::around(&charger, last)));
            }
            Meaning::Acknowledge if rest.is_empty() => self.say("who acknowledges? ack NAME"),
            Meaning::Acknowledge => {
                let alarms = self.alarms();
                let count = alarms.len();
                self.silenced = alarms.into_iter().flat_map(|alarm| alarm.keys).collect();
                self.say(format!(
                    "{rest} has seen {count} alarms; they sound no more, and stay in the count"
                ));
            }
            Meaning::Triage => self.triage(Some(rest).filter(|id| !id.is_empty())),
            Meaning::Reconnect => {
                self.asked = None;
                self.say("reading again");
            }
        }
    }
}
