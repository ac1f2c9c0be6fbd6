//! When to send a heartbeat and when the peer is dead, as RabbitMQ decides it. Time comes in as milliseconds.
//!
//! The sender looks twice per interval and sends when nothing was sent since its last look. The receiver looks once per
//! interval and gives up at the second look in a row that found nothing new: 2 to 3 intervals after the last octet.

/// The heartbeats of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    interval_ms: u64,
    sent_ms: u64,
    received: bool,
    fruitless_looks: u8,
    next_look_ms: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Neither a frame nor an end: it is not time yet.
    Nothing,
    /// Send a heartbeat frame.
    Send,
    /// The peer is silent for too long: drop the connection without a word.
    PeerDead,
}

/// Fruitless looks in a row after which the peer is dead.
const FRUITLESS_LOOKS_MAX: u8 = 2;

impl Heartbeat {
    /// Starts at `now_ms` with the interval of `tune-ok`; `None` when it is 0, which disables heartbeats both ways.
    pub(crate) fn new(interval_seconds: u16, now_ms: u64) -> Option<Self> {
        let interval_ms = u64::from(interval_seconds) * 1000;
        (interval_ms > 0).then_some(Self {
            interval_ms,
            sent_ms: now_ms,
            // `tune-ok` has just come: the first look is not fruitless.
            received: true,
            fruitless_looks: 0,
            next_look_ms: now_ms + interval_ms,
        })
    }

    /// The agreed interval.
    pub(crate) fn interval_ms(&self) -> u64 {
        self.interval_ms
    }

    /// Something was sent: a heartbeat is not needed for now.
    pub(crate) fn sent(&mut self, now_ms: u64) {
        self.sent_ms = now_ms;
    }

    /// Something was received, whatever it was.
    pub(crate) fn received(&mut self) {
        self.received = true;
    }

    /// When to ask [`Heartbeat::poll`] again.
    pub(crate) fn next_ms(&self) -> u64 {
        self.next_look_ms.min(self.send_due_ms())
    }

    /// What is due at `now_ms`.
    ///
    /// [`Beat::Send`] takes it for granted that the heartbeat is sent.
    pub(crate) fn poll(&mut self, now_ms: u64) -> Beat {
        if now_ms >= self.next_look_ms {
            // From now on, not from when the look was due: after the broker was held up two looks would come at
            // once, and a peer that is alive would be dead.
            self.next_look_ms = now_ms + self.interval_ms;
            if std::mem::take(&mut self.received) {
                self.fruitless_looks = 0;
            } else {
                self.fruitless_looks += 1;
            }
            if self.fruitless_looks >= FRUITLESS_LOOKS_MAX {
                return Beat::PeerDead;
            }
        }
        if now_ms >= self.send_due_ms() {
            self.sent_ms = now_ms;
            return Beat::Send;
        }
        Beat::Nothing
    }

    fn send_due_ms(&self) -> u64 {
        self.sent_ms + self.interval_ms / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls whenever something is due until `end_ms`, and lists what was.
    fn run(heartbeat: &mut Heartbeat, end_ms: u64) -> Vec<(u64, Beat)> {
        let mut beats = Vec::new();
        while heartbeat.next_ms() <= end_ms {
            let now = heartbeat.next_ms();
            let beat = heartbeat.poll(now);
            if beat != Beat::Nothing {
                beats.push((now, beat));
            }
            if beat == Beat::PeerDead {
                break;
            }
        }
        beats
    }

    #[test]
    fn an_interval_of_zero_disables_both_directions() {
        assert!(Heartbeat::new(0, 5).is_none());
    }

    #[test]
    fn a_client_silent_from_the_start_is_dropped_after_three_intervals() {
        let mut heartbeat = Heartbeat::new(2, 0).unwrap();
        let beats = run(&mut heartbeat, 60_000);
        assert_eq!(beats.last(), Some(&(6000, Beat::PeerDead)));
    }

    #[test]
    fn an_idle_server_sends_every_half_interval() {
        let mut heartbeat = Heartbeat::new(2, 0).unwrap();
        let beats = run(&mut heartbeat, 3000);
        assert_eq!(beats, [(1000, Beat::Send), (2000, Beat::Send), (3000, Beat::Send)]);
    }

    #[test]
    fn whatever_is_sent_takes_the_place_of_a_heartbeat() {
        let mut heartbeat = Heartbeat::new(2, 0).unwrap();
        heartbeat.sent(900);
        assert_eq!(heartbeat.poll(1000), Beat::Nothing);
        assert_eq!(heartbeat.next_ms(), 1900);
    }

    #[test]
    fn any_traffic_keeps_the_peer_alive() {
        let mut heartbeat = Heartbeat::new(1, 0).unwrap();
        for now in (500..20_000).step_by(500) {
            heartbeat.received();
            assert_ne!(heartbeat.poll(now), Beat::PeerDead);
        }
    }
}
