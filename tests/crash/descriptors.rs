//! Descriptors that cannot be had for a while: the store waits for them.

use leveret::store::failure::Call;

use crate::disk::Fault;
use crate::history::{Crash, for_seeds};
use crate::probe::load_all;

/// No descriptor for a while, of the process (EMFILE) or of the system (ENFILE): messages are read later, and none is lost.
#[test]
fn without_descriptors_the_store_waits() {
    for_seeds(40, |history| {
        history.run(120);
        history.relieve();
        for _ in 0..3 {
            let errno = *history.random.pick(&[24, 23]);
            let call = *history.random.pick(&[Call::Open, Call::Open, Call::Create]);
            let at = history.world.disk.calls_of(call) + 1 + history.random.below(6) as u64;
            let calls = 1 + history.random.below(40) as u64;
            history.world.disk.set_fault(Some(Fault::Failing { call, at, calls, errno }));
            history.run(60);
            assert!(history.world.wal.failure().is_none(), "{:?}", history.world.wal.failure());
            history.world.disk.set_fault(None);
            load_all(&history.world, history.actor.lock().unwrap().now_ms);
            history.run(20);
            if history.random.one_in(2) {
                history.crash(Crash::PowerLoss);
            }
        }
        history.relieve();
        history.check_live();
    });
}
