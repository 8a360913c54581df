//! A request behind a refused one on the same connection: a charger that tries again with credentials.
//!
//! Where the refusal's body ends is known from its head; behind it the charger's next head is read and treated as the
//! first was. Nothing is held that a direct line would not wait for: until the whole head is there, no authority could
//! act on it either. What is not understood is forwarded as it is, and said so.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{End, Ending, Phase, Splice, State};
use crate::clock::Clock;
use crate::facts::Leg;
use crate::live::answer::{Answer, Asker, Asking, Pending};
use crate::live::body::Body;
use crate::live::connection::{NOT_FOUND, UNLISTED};
use crate::live::head::{MAX_HEAD, Request, read_request};
use crate::live::offer::Offer;

/// The time between two requests on one connection.
pub(super) struct Between {
    /// What is left of the answer to the last request.
    body: Option<Body>,
    /// What there is of the next request's head.
    head: Vec<u8>,
    /// The next request, while its head is on its way, and what came behind it.
    next: Option<(Box<Asking>, Vec<u8>)>,
    peer: SocketAddr,
    authority: Leg,
    mediated: bool,
    certificate: Option<Rc<str>>,
    tls: Option<Offer>,
}

impl Between {
    /// What follows an answer, if another request may.
    pub(super) fn after(asking: &Asking, answer: &Answer) -> Option<Self> {
        let Answer::Refused(_, response) = answer else {
            return None;
        };
        let body = response.body.clone()?;
        asking.request.is_followable.then(|| Self {
            body: Some(body),
            head: Vec::new(),
            next: None,
            peer: asking.asker.peer,
            authority: asking.asker.authority,
            mediated: asking.asker.mediated,
            certificate: asking.asker.certificate.clone(),
            tls: asking.asker.tls,
        })
    }

    /// Whether the answer to the last request is still on its way.
    pub(super) fn is_answering(&self) -> bool {
        self.body.is_some()
    }

    fn asker(&self, conn: u64) -> Asker {
        Asker {
            conn,
            peer: self.peer,
            authority: self.authority,
            mediated: self.mediated,
            certificate: self.certificate.clone(),
            tls: self.tls,
        }
    }
}

impl Splice {
    /// Passes on bytes from `end` between two requests; none when the end has ended.
    pub(super) fn carry_between(
        &mut self,
        end: End,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<(), Ending> {
        let Phase::Between(between) = &mut self.phase else {
            return Ok(());
        };
        if end == End::Charger {
            let news = between.head.is_empty() || bytes.contains(&b'\n') || bytes.is_empty();
            between.head.extend_from_slice(bytes);
            // A head can only get complete with a line end: parsing less often keeps one-byte segments cheap.
            if news || between.head.len() >= MAX_HEAD {
                return self.read_next(cx);
            }
            return Ok(());
        }
        let answered = match &mut between.body {
            Some(body) => body.pass(bytes),
            None if bytes.is_empty() => return Ok(()),
            None => Ok(Some(0)),
        };
        self.forward(end, bytes, cx)?;
        match answered {
            Ok(None) => {}
            Ok(Some(n)) if n == bytes.len() => return self.answered_wholly(cx),
            Ok(Some(_)) => self.go_blind("the authority sent what belongs to no request"),
            Err(error) => self.go_blind(&format!("answer without end: {error}")),
        }
        Ok(())
    }

    /// The last answer is through: what the charger has sent meanwhile begins its next request.
    fn answered_wholly(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        if let Phase::Between(between) = &mut self.phase {
            between.body = None;
            between.head = std::mem::take(&mut self.halves[0].spill);
            self.again = true;
        }
        self.read_next(cx)
    }

    /// Reads the next request's head, as far as it is there.
    fn read_next(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        let Phase::Between(between) = &mut self.phase else {
            return Ok(());
        };
        if between.head.is_empty() {
            return Ok(());
        }
        match read_request(&between.head, &self.shared.settings.base_path) {
            Ok(Some(request)) => self.send_next(request, cx),
            Ok(None) if self.halves[0].state == State::Open => Ok(()),
            Ok(None) => self.unread("charger closed before the head was complete", cx),
            Err(error) => self.unread(&error.to_string(), cx),
        }
    }

    /// Sends the next request's head on its way, rewritten like the first.
    fn send_next(&mut self, request: Request, cx: &mut Context<'_>) -> Result<(), Ending> {
        let shared = Rc::clone(&self.shared);
        let settings = &shared.settings;
        let identity = request.identity.clone().unwrap_or_default();
        let (followed, allowed) = (
            request.upgrade || request.is_followable,
            settings.allows(&identity),
        );
        if !allowed || (!followed && settings.allowed.is_some()) {
            return self.turn_away(identity, cx);
        }
        let Phase::Between(between) = &mut self.phase else {
            return Ok(());
        };
        if shared.routes.of(&identity).authority != between.authority {
            // It was moved since it was refused: its next line leads to the other backend.
            return Err(Ending::Restart);
        }
        let head = std::mem::take(&mut between.head);
        let early = head[request.len..].to_vec();
        let login = settings.pass_credentials.then(|| request.login(&head));
        self.halves[0].spill = request.rewrite(
            &head,
            &settings.base_path,
            settings.backend(between.authority),
        );
        self.again = true;
        if !request.upgrade {
            shared.metrics.plain.add(1);
        }
        if !followed {
            self.halves[0].spill.extend(early);
            self.phase = Phase::Opaque;
            return Ok(());
        }
        let asking = Asking::new(
            between.asker(shared.epoch()),
            request,
            login.flatten(),
            Clock::system().now(),
            Pending::new(&shared.metrics, None),
        );
        between.next = Some((Box::new(asking), early));
        Ok(())
    }

    /// The next request's head is through: from now on its answer is awaited. Says whether that is so.
    pub(super) fn ask_next(&mut self, end: End) -> bool {
        let Phase::Between(between) = &mut self.phase else {
            return false;
        };
        if end != End::Charger {
            return false;
        }
        let Some((asking, early)) = between.next.take() else {
            return false;
        };
        self.phase = Phase::Asking(asking);
        self.halves[0].spill = early;
        self.again = true;
        true
    }

    /// The next request can't be read: it goes as it is, unless only listed identities may come in.
    fn unread(&mut self, why: &str, cx: &mut Context<'_>) -> Result<(), Ending> {
        if self.shared.settings.allowed.is_some() {
            return self.turn_away(String::new(), cx);
        }
        self.go_blind(why);
        Ok(())
    }

    /// Forwards what is there and all that follows as bytes, and says so.
    fn go_blind(&mut self, why: &str) {
        let Phase::Between(between) = std::mem::replace(&mut self.phase, Phase::Opaque) else {
            return;
        };
        self.again = true;
        let why = format!("further requests forwarded unread: {why}");
        let roster = &self.shared.roster;
        match &between.next {
            Some((asking, _)) => asking.give_up(roster, None, why),
            None if between.head.is_empty() => tracing::debug!(peer = %between.peer, why),
            None => {
                let asker = between.asker(self.shared.epoch());
                asker.refused(roster, String::new(), None, why);
            }
        }
        let spill = &mut self.halves[0].spill;
        spill.extend_from_slice(&between.head);
        spill.extend(between.next.into_iter().flat_map(|(_, early)| early));
    }

    /// Answers in a backend's place that this identity is not known, and ends the line.
    fn turn_away(&mut self, identity: String, cx: &mut Context<'_>) -> Result<(), Ending> {
        if let Phase::Between(between) = &self.phase {
            let asker = between.asker(self.shared.epoch());
            asker.turned_away(&self.shared.roster, identity, UNLISTED.to_owned());
        }
        self.forward(End::Authority, NOT_FOUND, cx)?;
        if let Poll::Ready(flushed) = self.poll_flush(End::Authority, cx) {
            flushed?;
        }
        Err(Ending::Shutdown)
    }
}
