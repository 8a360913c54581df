//! The scrubber: a recording as it was at an instant, and back at its end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use evenkeel::facts::{Fact, Reader};
use evenkeel::judge::Rules;
use evenkeel::ledger::query;
use evenkeel::watch::app::{Effect, Event, Request};
use evenkeel::watch::books::Books;
use evenkeel::watch::rewind::{self, News, Order, Point, Rewinder};
use evenkeel::watch::source;

use crate::night::{NOW, Night};
use crate::stage::{Stage, UNICODE};
use crate::story::{Shadow, Story};

const PATIENCE: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60_000_000;

/// So many heartbeats, of which every seventh is answered otherwise by the candidate.
fn long(exchanges: usize) -> Vec<Fact> {
    let mut story = Story::open("harbour-ac-01");
    for number in 0..exchanges {
        story.pass(10);
        let theirs = if number % 7 == 3 {
            r#"{"more":1}"#
        } else {
            "{}"
        };
        story.exchange("Heartbeat", "{}", "{}", Shadow::Answers(theirs));
    }
    story.facts
}

fn rewinder(night: &Night) -> Rewinder {
    Rewinder::new(&night.place(), Rules::built_in().unwrap())
}

fn arrives(rewinder: &mut Rewinder, order: Order) -> Arc<Point> {
    match rewinder.obey(order, &mut |_, _| true).unwrap() {
        Some(News::At(point)) => point,
        other => panic!("{other:?}"),
    }
}

fn digest(ledger: &std::path::Path) -> (u64, String) {
    let cursor = query::Reader::open(ledger).unwrap().cursor().unwrap();
    (cursor.seq, cursor.digest.to_string())
}

#[test]
fn the_past_is_what_the_judge_says_of_the_facts_up_to_then() {
    let facts = long(1_200);
    let night = Night::of(&facts);
    let mut rewinder = rewinder(&night);
    // Forward, to the end, and back: from copies on the way, and from the beginning.
    for (number, of) in [(1, 3), (2, 3), (1, 1), (5, 6), (1, 50), (1, 1)] {
        let last = facts.len() * number / of;
        let at = facts[last - 1].at;
        let point = arrives(&mut rewinder, Order::To(at));
        let prefix: Vec<Fact> = facts
            .iter()
            .take_while(|fact| fact.at <= at)
            .cloned()
            .collect();
        assert_eq!(point.seq, prefix.len() as u64);
        let alone = Night::of(&prefix);
        assert_eq!(
            digest(&point.ledger),
            digest(&alone.place()),
            "{number}/{of}"
        );
    }
    let end = arrives(&mut rewinder, Order::To(i64::MAX));
    assert_eq!(digest(&end.ledger), digest(&night.place()));
    // A later order takes the place of one that is on its way.
    let given_up = rewinder
        .obey(Order::To(facts[facts.len() / 2].at), &mut |_, _| false)
        .unwrap();
    assert_eq!(given_up, None);
    let before = arrives(&mut rewinder, Order::To(facts[0].at - 1));
    assert_eq!((before.seq, digest(&before.ledger).0), (0, 0));
}

#[test]
fn books_of_the_past_know_nothing_of_what_came_later() {
    let night = Night::whole();
    let now = Books::open(&night.place()).unwrap();
    let half = now.facts().last_seq().unwrap() / 2;
    let at = now.facts().by_seq(half).unwrap().unwrap().at;
    let mut rewinder = rewinder(&night);
    let point = arrives(&mut rewinder, Order::To(at));
    let then = now.at(Some(&point)).unwrap();
    let (before, after) = (then.pulse().unwrap(), now.pulse().unwrap());
    assert_eq!((before.facts, before.judged), (point.seq, point.seq));
    assert!(before.last.unwrap() <= at && before.facts < after.facts);
    assert_eq!(then.facts().by_seq(point.seq + 1).unwrap(), None);
    assert!(then.facts().facts().all(|fact| fact.unwrap().at <= at));
    let again = then.at(None).unwrap();
    assert_eq!(again.pulse().unwrap(), after);
}

#[test]
fn an_instant_is_found_among_the_facts() {
    let facts = long(50);
    let night = Night::of(&facts);
    let reader = Reader::open(&night.place()).unwrap();
    for at in [
        facts[0].at - 1,
        facts[0].at,
        facts[77].at,
        facts[77].at + 1,
        i64::MAX,
    ] {
        let expected = facts.iter().filter(|fact| fact.at <= at).count() as u64;
        assert_eq!(reader.seq_at(at).unwrap(), expected);
    }
}

/// The order among effects.
fn order(effects: &[Effect]) -> Order {
    let mut orders = effects.iter().filter_map(|effect| match effect {
        Effect::Rewind(order) => Some(*order),
        _ => None,
    });
    orders.next_back().unwrap()
}

/// Lets the rewinder do what the stage wants, and the stage see it.
fn carry_out(stage: &mut Stage<'_>, rewinder: &mut Rewinder, effects: &[Effect]) -> Arc<Point> {
    let point = arrives(rewinder, order(effects));
    stage.books = stage.books.at(Some(&point)).unwrap();
    stage.tell(Event::Rewound(News::At(Arc::clone(&point))));
    point
}

#[test]
fn keys_go_back_and_forth_and_esc_returns() {
    let night = Night::whole();
    let mut rewinder = rewinder(&night);
    let mut stage = Stage::open(&night, UNICODE, (120, 40));
    // While the tap seems to record nothing is rewound.
    assert!(
        stage
            .press("[")
            .iter()
            .all(|effect| !matches!(effect, Effect::Rewind(_)))
    );
    assert!(stage.picture().contains("the tap still records"));
    stage.now = NOW + 10 * MINUTE;
    let effects = stage.press("{");
    assert!(
        stage
            .picture()
            .contains("REWOUND to its end, on the way to")
    );
    let first = carry_out(&mut stage, &mut rewinder, &effects);
    let shown = stage.picture();
    assert!(
        shown.contains("REWOUND to ") && !shown.contains("STALE"),
        "{shown}"
    );
    let effects = stage.press("[");
    let second = carry_out(&mut stage, &mut rewinder, &effects);
    assert!(second.at < first.at && second.seq <= first.seq);
    let effects = stage.press("]");
    assert_eq!(order(&effects), Order::To(first.at));
    carry_out(&mut stage, &mut rewinder, &effects);
    // The night passes by itself, and stops when it is told to.
    let effects = stage.press(".");
    carry_out(&mut stage, &mut rewinder, &effects);
    stage.now += MINUTE;
    let effects = stage.tell(Event::Time);
    let third = carry_out(&mut stage, &mut rewinder, &effects);
    assert!(third.at > first.at);
    stage.press(".");
    stage.now += MINUTE;
    assert!(
        stage
            .tell(Event::Time)
            .iter()
            .all(|effect| !matches!(effect, Effect::Rewind(_)))
    );
    // Alarms are found from where one is.
    let effects = stage.press("!");
    assert_eq!(order(&effects), Order::NextAlarm(third.at));
    stage.tell(Event::Rewound(News::NoAlarm));
    stage.press("<Esc>");
    assert!(stage.picture().contains("the recording as it is"));
    let first = arrives(&mut rewinder, Order::NextAlarm(0));
    assert!(first.at > 0 && first.at < NOW);
}

/// The next event that `wanted` takes.
fn waits<T>(events: &Receiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        let event = events.recv_timeout(PATIENCE).unwrap();
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

#[test]
fn the_threads_judge_and_read_the_past_beside_each_other() {
    let night = Night::whole();
    let books = Books::open(&night.place()).unwrap();
    let half = books.facts().last_seq().unwrap() / 2;
    let at = books.facts().by_seq(half).unwrap().unwrap().at;
    let (events, happened) = channel();
    let (give, orders) = channel();
    let (ask, asked) = channel();
    let rewinder = rewinder(&night);
    let of_rewinder = events.clone();
    let judging = thread::spawn(move || rewind::run(rewinder, &orders, &of_rewinder));
    let reading = thread::spawn(move || source::run(books, &asked, &events));
    give.send(Order::To(at)).unwrap();
    let point = waits(&happened, |event| match event {
        Event::Rewound(News::At(point)) => Some(point),
        _ => None,
    });
    let question = Stage::open(&night, UNICODE, (80, 24))
        .app
        .screen()
        .question(20);
    for (number, at, facts) in [
        (1, Some(Arc::clone(&point)), point.seq),
        (2, None, u64::MAX),
    ] {
        let question = question.clone();
        ask.send(Request {
            number,
            question,
            at,
        })
        .unwrap();
        waits(&happened, |event| match event {
            Event::Pulse(pulse)
                if pulse.facts == facts || (facts == u64::MAX && pulse.facts > point.seq) =>
            {
                Some(())
            }
            _ => None,
        });
        waits(&happened, |event| match event {
            Event::Reply(reply) if reply.number == number => Some(reply.answer.unwrap()),
            _ => None,
        });
    }
    drop((give, ask));
    judging.join().unwrap();
    reading.join().unwrap();
}
