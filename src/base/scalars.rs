//! Durations, sizes and shares as people write them: a decimal number and its unit.

use std::time::Duration;

const DURATIONS: &[(&str, u128)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];
const SIZES: &[(&str, u128)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];
const SHARES: &[(&str, u128)] = &[("%", 10_000)];

/// Reads `500ms`, `1.8s`, `5m`, `1h` or `7d`; zero needs no unit.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let nanos = if text == "0" { 0 } else { quantity(text, DURATIONS)? };
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// Reads `64KiB`, `256MiB`, `1.5GiB` or a number of octets.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    u64::try_from(quantity(text, SIZES)?).ok()
}

/// Reads a percentage such as `10%` or `0.1%`, up to `100%`, in parts of a million.
#[must_use]
pub fn share(text: &str) -> Option<u32> {
    quantity(text, SHARES).filter(|&millionths| millionths <= 1_000_000).and_then(|share| u32::try_from(share).ok())
}

/// Reads `20/s`, `100/m`, `1000/h` or `5000/d`: a whole number and the time that it is for.
#[must_use]
pub fn rate(text: &str) -> Option<(u64, Duration)> {
    let (count, per) = text.split_once('/')?;
    let seconds = match per {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let is_number = count.bytes().all(|octet| octet.is_ascii_digit());
    Some((count.parse().ok().filter(|_| is_number)?, Duration::from_secs(seconds)))
}

/// A decimal number times its unit, if that is whole.
fn quantity(text: &str, units: &[(&str, u128)]) -> Option<u128> {
    const DIGITS_MAX: usize = 20; // of either part, so that nothing below overflows
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let &(_, unit) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let digits = |part: &str| (part.len() <= DIGITS_MAX).then(|| part.parse::<u128>().ok()).flatten();
    let whole = digits(whole)?.checked_mul(unit)?;
    let Some(fraction) = fraction else { return Some(whole) };
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = digits(fraction)?.checked_mul(unit)?;
    if part.is_multiple_of(scale) { whole.checked_add(part / scale) } else { None }
}

/// Writes a duration in the largest unit that makes it whole.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    if let Some((unit, size)) = DURATIONS.iter().find(|(_, size)| nanos.is_multiple_of(*size)) {
        return format!("{}{unit}", nanos / size);
    }
    let milli = format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000);
    format!("{}ms", milli.trim_end_matches('0'))
}

/// Writes a size in the largest unit that makes it whole.
#[must_use]
pub fn size_text(octets: u64) -> String {
    let octets = u128::from(octets);
    match SIZES.iter().find(|(_, size)| octets != 0 && octets.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", octets / size),
        None => octets.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_documented_forms_are_read() {
        let read = |text| duration(text).map(|d| d.as_millis());
        let forms = ["500ms", "10s", "5m", "1h", "7d", "1.8s", "0", "0.5ms"].map(read);
        let millis = [500, 10_000, 300_000, 3_600_000, 604_800_000, 1_800, 0, 0];
        assert_eq!(forms, millis.map(Some));
        assert_eq!(
            ["64KiB", "256MiB", "1GiB", "1.5KiB", "4096", "0"].map(size),
            [Some(65_536), Some(268_435_456), Some(1_073_741_824), Some(1_536), Some(4_096), Some(0)]
        );
        assert_eq!(["10%", "0.1%", "100%", "0%"].map(share), [Some(100_000), Some(1_000), Some(1_000_000), Some(0)]);
    }

    #[test]
    fn a_rate_is_a_number_and_its_time() {
        let read = |text| rate(text).map(|(count, per)| (count, per.as_secs()));
        let forms = ["20/s", "100/m", "100/min", "1000/h", "5/d", "0/s"].map(read);
        assert_eq!(forms, [(20, 1), (100, 60), (100, 60), (1_000, 3_600), (5, 86_400), (0, 1)].map(Some));
        assert_eq!(["", "20", "20/", "/s", "+1/s", "-1/s", "1.5/s", "20/ms", "20 /s", "20/2s"].map(read), [None; 10]);
    }

    #[test]
    fn other_forms_are_not() {
        for text in ["", "s", "10", "-1s", "+1s", "1 s", "1S", "1h30m", ".5s", "1.s", "1..2s", "0.0000001ms", "1e3s"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
        for text in ["", "KiB", "1KB", "1kib", "0.3", "99999999999999999999", "20000000TiB", "1.0.0KiB", "٣KiB"] {
            assert_eq!(size(text), None, "{text:?}");
        }
        assert_eq!(["101%", "10", "%", "-1%"].map(share), [None; 4]);
    }

    proptest! {
        #[test]
        fn a_duration_survives_being_written(nanos: u64) {
            let d = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&duration_text(d)), Some(d));
        }

        #[test]
        fn a_round_duration_survives_being_written(seconds in 0..10_000_000_u64) {
            let d = Duration::from_secs(seconds);
            prop_assert_eq!(duration(&duration_text(d)), Some(d));
        }

        #[test]
        fn a_size_survives_being_written(octets: u64, shift in 0..40_u32) {
            let rounded = octets >> shift << shift;
            prop_assert_eq!(size(&size_text(rounded)), Some(rounded));
        }

        #[test]
        fn no_text_upsets_the_readers(text in "\\PC*") {
            let _ = (duration(&text), size(&text), share(&text));
        }
    }
}
