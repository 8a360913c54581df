//! One timer for all deadlines of a session.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::time::{Instant, Sleep, sleep_until};

/// Deadlines move with every CALL, most of them further away. The timer stays where it is then and rings early: setting
/// it costs more than waking up once for nothing, long after.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready at `deadline` or earlier: whoever waits looks at the time and waits again. Never ready without a deadline.
    pub(super) async fn reached(&mut self, deadline: Option<Instant>) {
        let Some(at) = deadline else {
            return poll_fn(|_| self.release()).await;
        };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.is_elapsed() || sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().await;
    }

    /// An idle leg holds no timer, once the last one has rung.
    fn release(&mut self) -> Poll<()> {
        self.0.take_if(|sleep| sleep.is_elapsed());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_by_the_deadline_however_that_moves() {
        let mut alarm = Alarm::default();
        let begun = Instant::now();
        let after = |millis| Some(begun + Duration::from_millis(millis));
        // Given up before it rings, as by a leg that has something else to do.
        for moved in [after(60_000), after(5), after(60_000)] {
            tokio::select! {
                biased;
                () = alarm.reached(moved) => panic!("too early"),
                () = std::future::ready(()) => {}
            }
        }
        alarm.reached(after(60_000)).await;
        assert!(begun.elapsed() >= Duration::from_millis(5), "it was set");
        alarm.reached(after(20)).await;
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
