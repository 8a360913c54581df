//! Two backends, chargers at work, and both planes of a tap in this process.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evenkeel::facts::authority::{Change, Journal, Step};
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Fact, Kind, Leg, Limits, Reader, Recorder};
use evenkeel::live::{Backend, Handover, LivePlane, Settings};
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::dialect::Mint;
use evenkeel::replay::sim::{Dialect, SimBackend, SimCharger, SimError, Spec};
use evenkeel::shadow::legs::Legs;
use evenkeel::shadow::mediator::{self, Mediator};
use evenkeel::shadow::plane::{self, Table};
use evenkeel::shadow::settings::ShadowSettings;
use evenkeel::shadow::switch::{Accepted, Face, Refusal, Request, Switchboard};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// No wait in these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How soon a charger dials again.
pub const RETURN: Duration = Duration::from_millis(50);

type Asking = (Request, oneshot::Sender<Result<Accepted, Refusal>>);

/// A tap on a thread of its own.
pub struct Tap {
    pub url: String,
    pub dir: PathBuf,
    /// The last step that was looked at.
    read: Cell<u64>,
    ask: mpsc::UnboundedSender<Asking>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Starts one on the recording in `dir`.
    pub fn start(dir: &Path, legacy: &str, candidate: &str) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (started, starting) = blocking::channel();
        let place = dir.to_owned();
        let urls = [legacy.to_owned(), candidate.to_owned()];
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default())
                .unwrap()
                .block_on(planes(&place, &urls, &started, asked, stopped));
        });
        let url = starting.recv_timeout(PATIENCE).unwrap();
        Self {
            url,
            dir: dir.to_owned(),
            read: Cell::new(0),
            ask,
            stop,
            thread: Some(thread),
        }
    }

    /// Asks for a switch; a tap that is starting is asked again.
    pub async fn switch(&self, request: Request) -> Result<Accepted, Refusal> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (sender, answer) = oneshot::channel();
            self.ask.send((request.clone(), sender)).unwrap();
            match answer.await.unwrap() {
                Err(Refusal::Starting) if Instant::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                answer => return answer,
            }
        }
    }

    /// Begins a switch and waits until it is over; the counts of moved, kept and missing.
    pub async fn carry_out(&self, request: Request) -> [u64; 3] {
        let begun = self.switch(request).await.unwrap();
        let reader = Reader::open(&self.dir).unwrap();
        let deadline = Instant::now() + PATIENCE;
        // A journal of many switches is not read again and again.
        let mut read = self.read.get();
        loop {
            for fact in reader
                .of_kind(Kind::AuthorityChanged, read, 10_000)
                .unwrap()
            {
                read = fact.seq;
                let change = Change::read(&fact).unwrap();
                if change.switch == begun.switch && change.step == Step::Over {
                    self.read.set(read);
                    return change.counts.unwrap();
                }
            }
            assert!(
                Instant::now() < deadline,
                "never over: {:#?}",
                steps(&self.dir)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first journal entry that `wanted` likes, now or soon.
    pub async fn changes(
        &self,
        what: &str,
        wanted: impl Fn(&Fact, &Change) -> bool,
    ) -> (Fact, Change) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = journal(&self.dir)
                .into_iter()
                .find(|(fact, change)| wanted(fact, change));
            if let Some(found) = found {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "never happened: {what}: {:#?}",
                steps(&self.dir)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until there are so many facts of a kind.
    pub async fn facts(&self, what: &str, kind: Kind, count: usize) {
        let reader = Reader::open(&self.dir).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while reader.of_kind(kind, 0, count).unwrap().len() < count {
            assert!(Instant::now() < deadline, "never happened: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn planes(
    dir: &Path,
    urls: &[String; 2],
    started: &blocking::Sender<String>,
    mut asked: mpsc::UnboundedReceiver<Asking>,
    stopped: watch::Receiver<bool>,
) {
    let backends = urls.clone().map(|url| Backend::parse(&url).unwrap());
    let [legacy, candidate] = backends.clone();
    let mut settings = Settings::new(([127, 0, 0, 1], 0).into(), legacy, candidate);
    settings.mediators = Some(mediator::sockets(dir));
    let tuning = settings.tuning();
    let live = LivePlane::bind(settings).unwrap();
    let address = live.local_addrs()[0];
    let (ours, theirs) = UnixStream::pair().unwrap();

    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    let mut resume = Resume::read(&Reader::open(dir).unwrap()).unwrap();
    let journal: Journal = std::mem::take(&mut resume.journal);
    let legs = [Leg::Candidate, Leg::Legacy].map(|leg| {
        let mut settings = ShadowSettings::new(leg, backends[leg as usize].clone());
        settings.backoff = (Duration::from_millis(5), Duration::from_millis(50));
        settings.boot_grace = Duration::from_millis(50);
        settings
    });
    let legs = Rc::new(Legs::new(legs.into(), &recorder).unwrap());
    legs.stand(&journal);
    legs.resume(Leg::Candidate, &resume);
    legs.resume(Leg::Legacy, &resume);
    legs.carry_all(&journal);
    let faces = [Face::default(), Face::default()];
    let board = Switchboard::new(legs, &recorder, faces, Leg::Legacy, journal);
    let mediator = Mediator::bind(dir, backends, tuning, board.clone(), &recorder).unwrap();
    board.mediates();
    tokio::task::spawn_local(mediator.serve());
    let answering = board.clone();
    tokio::task::spawn_local(async move {
        while let Some((request, sender)) = asked.recv().await {
            drop(sender.send(answering.request(&request)));
        }
    });
    let table = Table::new(
        recorder.clone(),
        board,
        (),
        resume,
        plane::Settings::default(),
    );
    let shadow = tokio::task::spawn_local(plane::run(ours, table));
    started.send(format!("ws://{address}")).unwrap();
    let handover = Handover::to(theirs.into_std().unwrap());
    live.run(handover, stopped).await.unwrap();
    shadow.await.unwrap().unwrap();
    recorder.close(PATIENCE).unwrap();
}

/// Every journal entry so far.
pub fn journal(dir: &Path) -> Vec<(Fact, Change)> {
    let reader = Reader::open(dir).unwrap();
    let facts = reader.of_kind(Kind::AuthorityChanged, 0, usize::MAX >> 1);
    let facts = facts.unwrap().into_iter();
    facts
        .filter_map(|fact| Change::read(&fact).map(|change| (fact, change)))
        .collect()
}

/// The journal in short, and when connections began and ended.
fn steps(dir: &Path) -> Vec<String> {
    let reader = Reader::open(dir).unwrap();
    let facts = reader.facts().map(Result::unwrap);
    let told = facts.filter(|fact| {
        matches!(
            fact.kind,
            Kind::AuthorityChanged | Kind::ConnOpened | Kind::ConnClosed
        )
    });
    told.map(|fact| format!("{} {} {} {}", fact.at, fact.charger, fact.kind, fact.note))
        .collect()
}

/// A backend that numbers its transactions from `first`.
pub async fn backend(first: i64) -> SimBackend {
    let dialect = Dialect {
        mint: Mint::Up(first),
        seed: first.unsigned_abs(),
        ..Dialect::default()
    };
    SimBackend::start(dialect).await.unwrap()
}

/// What a charger is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Start,
    Stop,
    Leave,
}

/// A charger that samples its session often and dials again whenever its connection ends.
pub struct Charger {
    pub name: Arc<str>,
    orders: mpsc::UnboundedSender<(Order, oneshot::Sender<()>)>,
}

impl Charger {
    /// Connects and boots one that says something so often; never silent if that is zero.
    pub async fn connect(url: &str, name: &str, version: Version, every: Duration) -> Self {
        let spec = Spec {
            seed: name.bytes().map(u64::from).sum(),
            ..Spec::new(name, version)
        };
        let mut sim = SimCharger::connect(url, spec).await.unwrap();
        sim.boot().await.unwrap();
        let (orders, told) = mpsc::unbounded_channel();
        tokio::spawn(work(sim, told, every));
        Self {
            name: Arc::from(name),
            orders,
        }
    }

    async fn order(&self, order: Order) {
        let (done, waits) = oneshot::channel();
        self.orders.send((order, done)).unwrap();
        tokio::time::timeout(PATIENCE, waits)
            .await
            .unwrap()
            .unwrap();
    }

    /// Starts a session.
    pub async fn start(&self) {
        self.order(Order::Start).await;
    }

    /// Stops it.
    pub async fn stop(&self) {
        self.order(Order::Stop).await;
    }

    /// Hangs up for good.
    pub async fn leave(self) {
        self.order(Order::Leave).await;
    }
}

async fn work(
    mut sim: SimCharger,
    mut told: mpsc::UnboundedReceiver<(Order, oneshot::Sender<()>)>,
    every: Duration,
) {
    let mut sample = tokio::time::interval(every.max(Duration::from_millis(1)));
    sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            order = told.recv() => {
                let Some((order, done)) = order else { return };
                while !obey(&mut sim, order).await {
                    come_back(&mut sim).await;
                }
                done.send(()).unwrap();
                if order == Order::Leave {
                    return;
                }
            }
            () = async {
                if !every.is_zero() {
                    sample.tick().await;
                }
            } => {
                let said = if sim.session(1).is_some() {
                    sim.meter(1).await
                } else {
                    sim.heartbeat().await
                };
                let said = said.inspect(|answer| assert!(!answer.is_error(), "{answer:?}"));
                if is_lost(said) {
                    come_back(&mut sim).await;
                }
            }
        }
    }
}

/// Whether it is done; if not, the connection was lost meanwhile.
async fn obey(sim: &mut SimCharger, order: Order) -> bool {
    match order {
        Order::Start => !is_lost(sim.start(1, "TAG-1").await),
        Order::Stop => !is_lost(sim.stop(1, "Local").await),
        Order::Leave => true,
    }
}

/// Whether the connection was lost; nothing else may go wrong.
pub fn is_lost<T: std::fmt::Debug>(said: Result<T, SimError>) -> bool {
    match said {
        Ok(_) => false,
        Err(error) => {
            assert!(error.is_lost(), "{error}");
            true
        }
    }
}

/// Dials until it is let in.
pub async fn come_back(sim: &mut SimCharger) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        tokio::time::sleep(RETURN).await;
        match sim.reconnect().await {
            Ok(()) => return,
            Err(error) => assert!(Instant::now() < deadline, "never back: {error}"),
        }
    }
}
