//! Hashed names (RFC 5155 §5).

use crate::base::bounds;
use crate::dns::dnssec::denial::nsec3;

/// How a zone hashes its names: SHA-1, always, with extra iterations and a salt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parameters {
    iterations: u16,
    salt: Box<[u8]>,
}

impl Parameters {
    /// The parameters of an NSEC3PARAM record that we can and may use: algorithm 1, no flags (RFC 5155 §4.1.2),
    /// iterations within the bound.
    pub(super) fn of_apex(rdata: &[u8]) -> Option<Self> {
        let ([algorithm, flags, high, low, length], rest) = rdata.split_first_chunk::<5>()?;
        let iterations = u16::from_be_bytes([*high, *low]);
        let salt = rest.get(..usize::from(*length))?;
        let is_usable = *algorithm == 1 && *flags == 0 && iterations <= bounds::NSEC3_ITERATIONS_MAX;
        is_usable.then(|| Self { iterations, salt: salt.into() })
    }

    /// Whether an NSEC3 record belongs to the chain made with these parameters.
    pub(super) fn made(&self, rdata: &[u8]) -> bool {
        let Some(([algorithm, _, high, low, length], rest)) = rdata.split_first_chunk::<5>() else { return false };
        *algorithm == 1
            && u16::from_be_bytes([*high, *low]) == self.iterations
            && rest.get(..usize::from(*length)) == Some(&self.salt)
    }

    /// The label of a name's hash in the chain, with its length in front. `wire` is the name in small letters.
    pub(super) fn label(&self, wire: &[u8]) -> [u8; 33] {
        let parameters = nsec3::Parameters { iterations: self.iterations, salt: &self.salt };
        let mut label = [32u8; 33];
        if let Some((_, text)) = label.split_first_mut() {
            text.copy_from_slice(&nsec3::label(&parameters.hash_of(wire)));
        }
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn names_hash_as_in_rfc_5155_appendix_a() {
        let parameters = Parameters::of_apex(&[1, 0, 0, 12, 4, 0xAA, 0xBB, 0xCC, 0xDD]).unwrap();
        for (name, label) in [
            ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let name: Name = name.parse().unwrap();
            assert_eq!(&parameters.label(name.wire())[1..], label.as_bytes());
        }
    }
}
