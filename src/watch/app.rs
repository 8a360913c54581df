//! The state machine: an event comes in, the state changes, effects go out. It reads nothing, draws nothing by itself and
//! knows no clock; the time comes with each event.

mod asking;
mod event;
mod filtering;
mod overlay;
mod palette;
mod rewinding;

use std::sync::Arc;

use ratatui::Frame;

use super::board::Board;
use super::chrome;
use super::diffs::Diffs;
use super::feed::Feed;
use super::gate::Gate;
use super::help::Help;
use super::keys::{self, Action, Key, Scope};
use super::mask::Mask;
use super::screen::{Look, Room, Screen, Step};
use super::sessions::Sessions;
use super::sieve::Sieve;
use super::snapshot::{Alarm, Freshness, Pulse};
use super::tap::Tap;
use super::{decide, triage};
use crate::clock::Micros;
pub use event::{Effect, Event, Reply, Request, Setup};
pub(super) use overlay::edit;
pub use overlay::{Menu, Overlay, Prompt, Purpose};
pub(super) use palette::commands;
use rewinding::Rewinding;

/// The dashboard.
pub struct App {
    pub(super) setup: Setup,
    pub(super) mask: Mask,
    pub(super) size: (u16, u16),
    /// The time that is shown: of a rewound recording the instant that it is rewound to.
    pub(super) now: Micros,
    clock: Micros,
    pub(super) rewinding: Option<Rewinding>,
    pub(super) pulse: Option<Arc<Pulse>>,
    pub(super) failed: Option<String>,
    pub(super) overlay: Option<Overlay>,
    pub(super) notice: Option<(Micros, String)>,
    pub(super) frozen: Option<Frozen>,
    pub(super) expanded: bool,
    pub(super) focus: usize,
    pub(super) slow: bool,
    pub(super) mouse: bool,
    /// What was silenced, and what was heard already.
    pub(super) silenced: Vec<String>,
    heard: Vec<String>,
    roots: Vec<Box<dyn Screen>>,
    root: usize,
    /// What was opened on top, the uppermost last.
    path: Vec<Box<dyn Screen>>,
    asked: Option<Request>,
    questions: u64,
    answered: u64,
}

/// What the screen was frozen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// When, µs.
    pub since: Micros,
    /// The last fact then.
    pub facts: u64,
}

/// How long a notice stays, µs.
const NOTICE: Micros = 6_000_000;

impl App {
    /// A dashboard that has heard nothing yet.
    pub fn new(setup: Setup) -> Self {
        let welcome = setup.demo.then(|| {
            (
                Micros::MAX,
                "T starts a tour of six steps; ? shows the keys; q leaves".to_owned(),
            )
        });
        Self {
            mask: Mask::new(&setup.mask, !setup.reveal),
            setup,
            size: (80, 24),
            now: 0,
            clock: 0,
            rewinding: None,
            pulse: None,
            failed: None,
            overlay: None,
            notice: welcome,
            frozen: None,
            expanded: false,
            focus: 0,
            slow: false,
            mouse: false,
            silenced: Vec::new(),
            heard: Vec::new(),
            roots: vec![
                Box::new(Board::default()),
                Box::new(Diffs::default()),
                Box::new(Sessions::default()),
                Box::new(Gate::default()),
                Box::new(Feed::default()),
                Box::new(Tap::default()),
            ],
            root: 0,
            path: Vec::new(),
            asked: None,
            questions: 0,
            answered: 0,
        }
    }

    /// Takes an event that happened at `now`.
    pub fn on(&mut self, event: Event, now: Micros) -> Vec<Effect> {
        self.clock = now;
        self.now = self.shown_instant().unwrap_or(now);
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.key(key, &mut effects),
            Event::Paste(text) => self.paste(&text),
            Event::Wheel(rows) => self.wheel(rows, &mut effects),
            Event::Size(width, height) => self.size = (width, height),
            Event::Pulse(pulse) => {
                self.failed = None;
                for charger in pulse.alarms.iter().flat_map(|alarm| &alarm.chargers) {
                    self.mask.charger(charger);
                }
                self.pulse = Some(pulse);
            }
            Event::Reply(reply) => self.reply(reply),
            Event::Failed(why) => self.failed = Some(why),
            Event::Rewound(news) => self.rewound(news),
            Event::Told(says) => self.say(says),
            Event::Time => {}
            Event::End => effects.push(Effect::Leave { print: false }),
        }
        if self
            .notice
            .as_ref()
            .is_some_and(|(at, _)| now - at > NOTICE)
        {
            self.notice = None;
        }
        self.play_on(&mut effects);
        self.sound(&mut effects);
        self.ask(&mut effects);
        effects
    }

    /// The screen on top.
    pub fn screen(&self) -> &dyn Screen {
        self.path.last().unwrap_or(&self.roots[self.root]).as_ref()
    }

    fn screen_mut(&mut self) -> &mut dyn Screen {
        match self.path.last_mut() {
            Some(screen) => screen.as_mut(),
            None => self.roots[self.root].as_mut(),
        }
    }

    /// What is open, from the numbered screen on.
    pub fn crumbs(&self) -> Vec<String> {
        let root = std::iter::once(self.roots[self.root].title());
        root.chain(self.path.iter().map(|screen| screen.title()))
            .collect()
    }

    fn is_stale(&self) -> bool {
        let pulse = self.pulse.as_ref();
        pulse.is_some_and(|pulse| matches!(pulse.freshness(self.now), Freshness::Stale(_)))
    }

    /// What drawing depends on.
    pub fn look(&self) -> Look<'_> {
        Look {
            theme: self.setup.theme,
            zone: self.setup.zone,
            now: self.now,
            stale: self.is_stale(),
            room: Room::of(self.size.0, self.size.1),
            mask: &self.mask,
            focus: self.focus,
            expanded: self.expanded,
        }
    }

    /// Width and height that it is drawn in.
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Begins with low bandwidth, or as usual.
    pub const fn start_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    /// Whether it wants to be drawn once a second at most.
    pub const fn is_slow(&self) -> bool {
        self.slow
    }

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        chrome::draw(self, frame);
    }

    /// The alarms that hold now.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.pulse
            .as_ref()
            .map_or_else(Vec::new, |pulse| pulse.alarms(self.now))
    }

    /// The scopes of keys now, innermost first.
    pub fn scopes(&self) -> Vec<Scope> {
        if let Some(overlay) = &self.overlay {
            return vec![overlay.scope()];
        }
        let mut scopes = self.screen().scopes().to_vec();
        scopes.push(Scope::Everywhere);
        scopes
    }

    fn say(&mut self, says: impl Into<String>) {
        self.notice = Some((self.clock, says.into()));
    }

    fn key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        match keys::action(&self.scopes(), key) {
            Some(Action::Leave) => effects.push(Effect::Leave { print: false }),
            Some(Action::LeavePrinting) => effects.push(Effect::Leave { print: true }),
            action if self.overlay.is_some() => self.in_overlay(key, action, effects),
            Some(action) => self.act(action, effects),
            None => {}
        }
    }

    fn wheel(&mut self, rows: i32, effects: &mut Vec<Effect>) {
        let key = if rows > 0 { Key::Down } else { Key::Up };
        for _ in 0..rows.unsigned_abs().min(20) {
            self.key(key, effects);
        }
    }

    fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Screen(number) => self.go(number),
            Action::Back => self.back(),
            Action::Help => self.overlay = Some(Overlay::Help(Help::default())),
            Action::Command => {
                self.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Command, "")));
            }
            Action::Filter => self.write_filter(),
            Action::SavedFilters => {
                self.overlay = Some(Overlay::Menu(Menu::filters(&self.setup.filters)));
            }
            Action::FilterByCell => self.filter_by_cell(),
            Action::Freeze => self.freeze(),
            Action::Focus => self.focus_on((self.focus + 1) % self.screen().panes().max(1)),
            Action::Expand if self.screen().panes() < 2 => {
                self.say("this screen has one pane, and it has all the room");
            }
            Action::Expand => self.expanded = !self.expanded,
            Action::Copy => self.copy(effects),
            Action::Evidence => effects.push(Effect::Evidence(self.evidence())),
            Action::Privacy => {
                self.mask.toggle();
                self.say(if self.mask.is_on() {
                    "identifiers are masked"
                } else {
                    "identifiers are shown; P masks them"
                });
            }
            Action::Mouse => self.toggle_mouse(effects),
            Action::LowBandwidth => {
                self.slow = !self.slow;
                self.say(if self.slow {
                    "drawn once a second at most; L ends that"
                } else {
                    "drawn as usual"
                });
            }
            Action::Tour => self.overlay = self.tour(0),
            Action::Triage => self.triage(None),
            Action::Decide | Action::Exception => self.decide(action),
            Action::Bundle => self.bundle(effects),
            Action::StepBack
            | Action::StepForward
            | Action::LeapBack
            | Action::LeapForward
            | Action::Play
            | Action::NextAlarm => self.rewind(action, effects),
            other => self.of_screen(other, effects),
        }
    }

    fn of_screen(&mut self, action: Action, effects: &mut Vec<Effect>) {
        if let Some(why) = self.screen().unavailable(action) {
            self.say(why);
            return;
        }
        match self.screen_mut().act(action) {
            Step::Unused => self.say("that cannot be had here yet"),
            Step::Done => {}
            Step::Say(says) => self.say(says),
            Step::Open(screen) => {
                self.path.push(screen);
                self.focus_on(0);
            }
            Step::Go(number, filter) => self.drill(number, &filter),
            Step::Copy(text) => effects.push(Effect::Copy(text)),
            Step::Export(name, text) => effects.push(Effect::Export(name, text)),
        }
    }

    fn focus_on(&mut self, pane: usize) {
        self.focus = pane;
        self.screen_mut().focus(pane);
    }

    /// To a numbered screen as it was left.
    fn go(&mut self, number: u8) {
        self.path.clear();
        self.root = usize::from(number.clamp(1, 6) - 1);
        self.focus_on(0);
        self.expanded = false;
    }

    /// To a numbered screen on top of this one, with a filter.
    fn drill(&mut self, number: u8, filter: &str) {
        let mut screen: Box<dyn Screen> = match number {
            2 => Box::new(Diffs::default()),
            3 => Box::new(Sessions::default()),
            4 => Box::new(Gate::default()),
            5 => Box::new(Feed::default()),
            6 => Box::new(Tap::default()),
            _ => Box::new(Board::default()),
        };
        // A screen that knows no such field shows everything and says so.
        match Sieve::parse(filter, screen.fields()) {
            Ok(sieve) => screen.set_filter(sieve),
            Err(fault) => self.say(format!("not filtered: {}", fault.message)),
        }
        self.path.push(screen);
    }

    fn back(&mut self) {
        if self.frozen.is_some() {
            self.frozen = None;
        } else if self.expanded {
            self.expanded = false;
        } else if self.path.pop().is_some() {
            self.focus_on(0);
        } else if self.rewinding.is_some() {
            self.end_rewinding();
        } else if !self.screen().filter().is_empty() {
            self.screen_mut().set_filter(Sieve::default());
            self.say("the filter is gone");
        } else if self.root == 0 {
            self.say("this is the first screen; q leaves");
        } else {
            self.go(1);
        }
    }

    /// Opens the dialog about a finding, by its identity or the selected one.
    fn triage(&mut self, named: Option<&str>) {
        let Some(operator) = self.setup.operator.clone() else {
            self.say("view only: `watch --operate NAME` or `evenkeel triage` writes notes");
            return;
        };
        let named = named.map(|id| (id.to_owned(), String::new()));
        match named.or_else(|| self.screen().finding()) {
            Some((finding, title)) => {
                let dialog = triage::Dialog::new(finding, title, &operator);
                self.overlay = Some(Overlay::Triage(Box::new(dialog)));
            }
            None => self.say("no finding is selected; :triage F-12345678 names one"),
        }
    }

    /// Opens the dialog about the group that is shown; where nobody operates, says how else it is decided.
    fn decide(&mut self, action: Action) {
        let case = match self.screen().case(action) {
            Ok(case) => case,
            Err(why) => return self.say(why),
        };
        let Some(operator) = &self.setup.operator else {
            let hint = self.screen().unavailable(action).unwrap_or_default();
            return self.say(format!("view only: `watch --operate NAME`, or {hint}"));
        };
        if self.rewinding.is_some() || self.frozen.is_some() {
            return self
                .say("what is shown is not of now, and nothing is decided by it: Esc first");
        }
        let case = if self.is_stale() {
            case.stale("the tap is silent")
        } else {
            case
        };
        let who = (operator.as_str(), self.setup.role.as_str());
        self.overlay = Some(Overlay::Decide(Box::new(decide::Dialog::new(case, who))));
    }

    /// Has a bundle made of the selected finding.
    fn bundle(&mut self, effects: &mut Vec<Effect>) {
        match self.screen().finding() {
            Some((finding, _)) => {
                self.say(format!("a bundle of {finding} is being made and proved"));
                effects.push(Effect::Bundle(finding));
            }
            None => self.say("no finding is selected that a bundle could reproduce"),
        }
    }

    fn freeze(&mut self) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some(Frozen {
                since: self.now,
                facts: self.pulse.as_ref().map_or(0, |pulse| pulse.facts),
            }),
        };
        // What came meanwhile is asked for again.
        self.asked = None;
    }

    fn copy(&mut self, effects: &mut Vec<Effect>) {
        match self.screen().markdown(&self.look()) {
            Some(text) => effects.push(Effect::Copy(text)),
            None => self.say("nothing is selected that could be copied"),
        }
    }

    /// What the screen shows, as JSON.
    fn evidence(&self) -> String {
        let pulse = self.pulse.as_deref();
        serde_json::json!({
            "schema": "evenkeel.evidence/1",
            "recording": pulse.map(|pulse| &pulse.recording),
            "facts": pulse.map(|pulse| pulse.facts),
            "judged": pulse.map(|pulse| pulse.judged),
            "at": crate::ledger::views::rfc3339(self.now),
            "screen": self.crumbs(),
            "filter": self.mask.text(self.screen().filter()),
            "masked": self.mask.is_on(),
            "rewound_to": self.shown_instant().map(crate::ledger::views::rfc3339),
            "frozen_at": self.frozen.map(|frozen| crate::ledger::views::rfc3339(frozen.since)),
            "shows": self.screen().json(&self.look()),
        })
        .to_string()
    }

    fn toggle_mouse(&mut self, effects: &mut Vec<Effect>) {
        self.mouse = !self.mouse;
        effects.push(Effect::Mouse(self.mouse));
        self.say(if self.mouse {
            "the wheel scrolls; hold Shift to select text, M ends that"
        } else {
            "the mouse is the terminal's again"
        });
    }
}
