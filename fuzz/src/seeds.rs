//! Seeds: inputs to begin with, one for each shape that a reader can take apart, so that fuzzing need not find them.
//!
//! They are made here and nowhere else; `MERIDIAN_SEEDS=write cargo test --test fuzz_corpus` writes them down anew.

mod cluster;
mod dnssec;
mod places;
mod texts;
mod wire;

use meridian::base::Dice;

/// A target's name, a seed's name, and the seed.
pub type Seed = (&'static str, String, Vec<u8>);

/// All seeds.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, message) in wire::messages() {
        seeds.push(("glance", name, message));
    }
    for (name, query) in wire::queries() {
        for mode in 0..4u8 {
            // Over TCP and to strangers much is the same; some of each is enough.
            if mode == 0 || seeds.len() % 8 == usize::from(mode) {
                seeds.push(("datagram", format!("{name}-{mode}"), [&[mode], &query[..]].concat()));
            }
        }
    }
    seeds.extend(wire::signed_query().map(|query| ("datagram", "tsig-at-the-desk".to_owned(), query)));
    seeds.extend(texts::zone_files().map(|(name, text)| ("zone_file", name.to_owned(), text)));
    seeds.extend(texts::configurations().map(|(name, text)| ("configuration", name.to_owned(), text)));
    seeds.extend(texts::corefiles().map(|(name, text)| ("corefile", name.to_owned(), text)));
    seeds.extend(texts::hosts_files().map(|(name, text)| ("hosts_file", name.to_owned(), text)));
    seeds.extend(wire::options().map(|(name, octets)| ("options", name.to_owned(), octets)));
    seeds.extend(streams().map(|(name, octets)| ("tcp_framing", name.to_owned(), octets)));
    seeds.extend(scripts().map(|(name, octets)| ("iterator", name, octets)));
    seeds.extend(dnssec::seeds().into_iter().map(|(name, octets)| ("dnssec", name, octets)));
    seeds.extend(cluster::seeds().into_iter().map(|(name, octets)| ("cluster", name.to_owned(), octets)));
    seeds.extend(places::databases().map(|(name, octets)| ("mmdb", name.to_owned(), octets)));
    seeds
}

fn streams() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let two = [0, 3, 1, 2, 3, 0, 1, 9];
    let large: Vec<u8> = [0x10, 0].into_iter().chain([7; 0x1000]).chain(two).collect();
    [
        ("whole", [&[0][..], &two].concat()),
        ("octet-by-octet", [&[8][..], &[1; 8], &two].concat()),
        ("length-cut", [&[1, 1][..], &two].concat()),
        ("empty-messages", vec![2, 1, 3, 0, 0, 0, 0, 0, 0]),
        ("unfinished", vec![1, 2, 0, 200, 1, 2, 3]),
        ("claims-much", vec![0, 0xFF, 0xFF, 1]),
        ("large", [&[3, 0, 0, 0][..], &large].concat()),
    ]
    .into_iter()
}

/// Every kind of upstream all the way through, alone and mixed, and chance.
fn scripts() -> impl Iterator<Item = (String, Vec<u8>)> {
    let alike = (0..16u8).map(|kind| {
        let steps = (0..40u8).flat_map(|step| [kind | (step % 4) << 5, step, step.wrapping_mul(3), step]);
        (format!("kind-{kind:02}"), [1, 0x00, 0x40, 0x09, 0x0A].into_iter().chain(steps).collect())
    });
    // Referrals down to a zone whose servers then do the one thing.
    let below = (1..16u8).map(|kind| {
        let steps = [2, 1, 6, 0x01, 2, 2, 6, 0x01].into_iter().chain([kind, 1, 8, 3].repeat(20));
        (format!("below-{kind:02}"), [0, 0x00, 0x60].into_iter().chain(steps).collect())
    });
    let chance = (0..24u64).map(|number| {
        let mut octets = vec![0; 40 + 12 * number as usize];
        Dice::from_number(number).fill(&mut octets);
        (format!("chance-{number:02}"), octets)
    });
    alike.chain(below).chain(chance)
}
