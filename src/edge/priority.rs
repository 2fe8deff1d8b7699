//! Who gives way to whom on a crowded machine.
#![forbid(unsafe_code)]

/// How far this thread steps back, of 19: a tenth of a worker's weight. Idle cores it has whole.
const STEP_BACK: i32 = 10;

/// Has the calling thread give way to all others from now on: what it does may take long, and nobody waits for it who
/// would not wait longer for a query. Where the system refuses, all stays as it was.
pub fn give_way() {
    // On Linux this concerns the calling thread alone (setpriority(2)).
    rustix::process::setpriority_process(None, STEP_BACK).ok();
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_gives_way_and_the_others_do_not() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        std::thread::spawn(move || {
            super::give_way();
            assert_eq!(own(), super::STEP_BACK);
        })
        .join()
        .unwrap();
        assert_eq!(own(), before);
    }
}
