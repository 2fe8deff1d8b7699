//! Waiting for what another process does. Nothing tells when it has, so it is looked at again and again, in one place.
use std::time::{Duration, Instant};

/// What happens by itself happens within this time, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two looks: without a breath the loop would take the processor from what it waits for.
const BREATH: Duration = Duration::from_millis(5);

/// Waits until `look` finds what it looks for.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, look)
}

/// Waits until it `is_so`.
#[track_caller]
pub fn wait_for(mut is_so: impl FnMut() -> bool, what: &str) {
    until(what, || is_so().then_some(()));
}

/// Waits until `look` finds what it looks for, which must be within `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(BREATH);
    }
}
