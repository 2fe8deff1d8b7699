//! The one hash function of steering: SipHash-1-3, fixed for ever, since every node must choose alike.
//!
//! The key is (seed, 0). Words are hashed as their little-endian octets, so [`hash_words`] equals [`hash_bytes`]
//! over the same octets. The test vectors below are part of the contract.

struct Sip([u64; 4]);

impl Sip {
    const fn new(seed: u64) -> Self {
        Self([seed ^ 0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, seed ^ 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573])
    }

    const fn round(self) -> Self {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        Self([a, b, c, d])
    }

    const fn absorb(self, word: u64) -> Self {
        let [a, b, c, d] = self.0;
        let [a, b, c, d] = Self([a, b, c, d ^ word]).round().0;
        Self([a ^ word, b, c, d])
    }

    const fn finish(self) -> u64 {
        let [a, b, c, d] = self.0;
        let [a, b, c, d] = Self([a, b, c ^ 0xff, d]).round().round().round().0;
        a ^ b ^ c ^ d
    }
}

/// The hash of `bytes` under `seed`.
#[must_use]
pub fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut sip = Sip::new(seed);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        sip = sip.absorb(u64::from_le_bytes(*word));
    }
    // The length stands in the highest octet, the last octets below it.
    let word = tail
        .iter()
        .enumerate()
        .fold((bytes.len() as u64) << 56, |word, (place, &octet)| word | (u64::from(octet) << (8 * place)));
    sip.absorb(word).finish()
}

/// The hash of `words` under `seed`.
#[must_use]
pub fn hash_words(seed: u64, words: &[u64]) -> u64 {
    let mut sip = Sip::new(seed);
    for &word in words {
        sip = sip.absorb(word);
    }
    sip.absorb((8 * words.len() as u64) << 56).finish()
}

/// A hash as a number in (0, 1], even over its range.
#[must_use]
pub fn unit(hash: u64) -> f64 {
    ((hash >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// How late a member of `weight` comes in a race drawn as `unit` in (0, 1]: −ln(u)/w, the smallest wins.
///
/// With random u this draws by weight without replacement; with u = hash(key, member) it is weighted rendezvous.
#[must_use]
pub fn lateness(unit: f64, weight: f64) -> f64 {
    if weight > 0.0 { -unit.ln() / weight } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    #[test]
    fn the_vectors_hold() {
        assert_eq!(hash_bytes(0, b""), 0xd1fb_a762_150c_532c);
        assert_eq!(hash_bytes(0, b"member"), 0x6a0d_1324_1802_fe80);
        assert_eq!(hash_words(7, &[1, 2]), 0xd64f_c723_a41b_559a);
    }

    #[test]
    fn it_is_siphash_1_3_as_others_have_it() {
        let bytes: Vec<u8> = (0..64).collect();
        for length in 0..bytes.len() {
            let mut theirs = std::hash::DefaultHasher::new();
            theirs.write(&bytes[..length]);
            assert_eq!(hash_bytes(0, &bytes[..length]), theirs.finish(), "length {length}");
        }
    }

    #[test]
    fn words_hash_as_their_octets() {
        let words = [3u64, u64::MAX, 0x0123_4567_89ab_cdef];
        let octets: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(hash_words(99, &words), hash_bytes(99, &octets));
    }

    #[test]
    fn units_lie_above_nought_and_reach_one() {
        assert!(unit(0) > 0.0);
        assert!((unit(u64::MAX) - 1.0).abs() < f64::EPSILON);
    }
}
