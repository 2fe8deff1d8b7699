//! Any octets as a database of places: it is read or refused, within memory that the file does not choose.

use meridian::edge::geoip::{Fields, read_at_most};

use super::heap;

/// Networks that are read at most.
const NETWORKS_MAX: usize = 512;
/// The most memory that one record may take while it is read; the reader's own budget for it is 2 MiB of text.
const RECORD_BYTES: usize = 16 << 20;

/// See the module's text.
pub fn run(data: &[u8]) {
    let (read, held) = heap::most_of(|| read_at_most(data, &Fields::default(), NETWORKS_MAX));
    assert!(held <= RECORD_BYTES + 64 * data.len(), "{} octets took {held}", data.len());
    match read {
        Ok(source) => assert!(!source.places.is_empty() && source.places.len() <= NETWORKS_MAX),
        Err(cause) => assert!(!format!("{cause:?}").is_empty()),
    }
}
