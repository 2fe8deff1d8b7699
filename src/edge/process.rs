//! What the system tells of this process: memory, files, threads, processor time; and what is settled with it before the
//! first thread begins.
#![forbid(unsafe_code)]

use std::io;

/// A reading.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Process {
    /// Files that are open, sockets included.
    pub open_files: u64,
    /// Files that may be open.
    pub files_max: u64,
    /// Octets of memory in use.
    pub resident_bytes: u64,
    /// Octets of address space.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// When it began, seconds of the calendar.
    pub started: f64,
    /// Processor time that it has had, seconds.
    pub processor_seconds: f64,
}

/// Reads them; none where the system does not tell.
#[cfg(target_os = "linux")]
#[must_use]
pub fn read() -> Option<Process> {
    use procfs::process::{LimitValue, Process as Own};
    use procfs::{WithCurrentSystemInfo, boot_time_secs, ticks_per_second};

    let own = Own::myself().ok()?;
    let (stat, files) = (own.stat().ok()?, own.limits().ok()?.max_open_files.soft_limit);
    let ticks = ticks_per_second().max(1) as f64;
    Some(Process {
        // The one that is open to count them is none of ours.
        open_files: own.fd_count().ok()?.saturating_sub(1) as u64,
        files_max: match files {
            LimitValue::Unlimited => u64::MAX,
            LimitValue::Value(most) => most,
        },
        resident_bytes: stat.rss_bytes().get(),
        virtual_bytes: stat.vsize,
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
        started: boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
        processor_seconds: stat.utime.saturating_add(stat.stime) as f64 / ticks,
    })
}

/// Elsewhere the system is not asked.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn read() -> Option<Process> {
    None
}

/// Has the system make room for `count` open files now. Later, with threads that share the table of files, it would make
/// whoever opens one file too many wait until all of them have come to rest, some 20 ms each time that it doubles.
///
/// # Errors
/// The system's, where it does not let so many be open.
pub fn make_room_for_files(count: u64) -> io::Result<()> {
    let some = std::fs::File::open("/dev/null")?;
    let last = i32::try_from(count.saturating_sub(1)).unwrap_or(i32::MAX);
    Ok(rustix::io::fcntl_dupfd_cloexec(&some, last).map(drop)?)
}

/// Has memory come in small pages. In huge ones the process is twice as large, and the first to touch one waits until two
/// mebibytes are cleared; hits are no faster by them.
#[cfg(target_os = "linux")]
pub fn take_small_pages() {
    rustix::thread::disable_transparent_huge_pages(true).ok(); // an old kernel knows no such wish
}

/// Elsewhere the system decides.
#[cfg(not(target_os = "linux"))]
pub fn take_small_pages() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_threads_files_and_age() {
        let before = read().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let (up, down) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        let during = std::thread::scope(|scope| {
            scope.spawn(|| (up.wait(), down.wait()));
            up.wait();
            let during = read().unwrap();
            down.wait();
            during
        });
        drop(file);
        assert!(during.threads >= 2 && during.open_files >= 4, "{during:?}");
        assert!(during.files_max >= during.open_files && during.resident_bytes > 1 << 20);
        assert!(during.virtual_bytes >= during.resident_bytes && during.processor_seconds >= before.processor_seconds);
        let now = crate::edge::clock::wall_seconds() as f64;
        assert!(during.started <= now + 2.0 && during.started > now - 86_400.0, "{during:?}");
        assert!((during.started - before.started).abs() < 0.1);
    }
}
