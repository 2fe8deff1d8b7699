//! The block `cache`: what is remembered, and for how long.

use std::time::Duration;

use super::cursor::Section;
use super::scalars;
use super::types::{Cache, Prefetch, Stale};
use crate::base::bounds;

const MIB: u64 = 1 << 20;
const SIZE_DEFAULT: u64 = 256 * MIB;
const SIZE_MIN: u64 = MIB;
const SIZE_MAX: u64 = 1 << 40;
/// A longer least TTL would break names that change often.
const MIN_TTL_MAX: Duration = Duration::from_secs(3_600);
const PREFETCH_HITS_MAX: u32 = 1_000_000;
const PREFETCH_WINDOW_MAX: u32 = 50;
/// RFC 8767 §5 speaks of one to three days.
const STALE_WINDOW_MAX: Duration = Duration::from_secs(7 * 86_400);
const STALE_TTL_MAX: Duration = Duration::from_secs(3_600);
const STALE_RECHECK_MAX: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// Reads the block.
pub(super) fn read(section: &mut Section<'_>) -> Cache {
    let max_ttl = section.seconds("max_ttl", bounds::CACHE_TTL_MAX, SECOND..=bounds::CACHE_TTL_MAX);
    Cache {
        size: section.size("size", SIZE_DEFAULT, SIZE_MIN..=SIZE_MAX),
        min_ttl: section.seconds("min_ttl", Duration::ZERO, Duration::ZERO..=MIN_TTL_MAX.min(max_ttl)),
        max_ttl,
        max_negative_ttl: section.seconds(
            "max_negative_ttl",
            bounds::NEGATIVE_TTL_MAX,
            Duration::ZERO..=bounds::NEGATIVE_TTL_MAX,
        ),
        prefetch: section.block("prefetch", prefetch),
        stale: section.block("stale", stale),
    }
}

fn prefetch(section: &mut Section<'_>) -> Prefetch {
    let window = section.take("window").and_then(|field| {
        let read = |text: &str| {
            let millionths = scalars::share(text)?;
            let percent = millionths / 10_000;
            (millionths % 10_000 == 0 && (1..=PREFETCH_WINDOW_MAX).contains(&percent)).then_some(percent)
        };
        field.scalar(format!("a whole percentage from 1% to {PREFETCH_WINDOW_MAX}%"), read)
    });
    Prefetch { hits: section.number("hits", 2, 1..=PREFETCH_HITS_MAX), window_percent: window.unwrap_or(10) }
}

fn stale(section: &mut Section<'_>) -> Stale {
    Stale {
        window: section.seconds("window", Duration::from_secs(86_400), SECOND..=STALE_WINDOW_MAX),
        ttl: section.seconds("ttl", Duration::from_secs(30), SECOND..=STALE_TTL_MAX),
        wait: section.duration("wait", Duration::from_millis(1_800), Duration::ZERO..=bounds::CLIENT_DEADLINE),
        recheck: section.seconds("recheck", Duration::from_secs(30), SECOND..=STALE_RECHECK_MAX),
    }
}
