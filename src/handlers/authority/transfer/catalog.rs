//! Catalog zones (RFC 9432): zones that list zones.
//!
//! Consuming, a catalog comes in and the names of its members leave; producing, names come in and the catalog
//! leaves. A catalog that breaks the RFC's rules lists nobody, and what it listed before stays.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::base::bounds;
use crate::base::collections::Keyed;
use crate::dns::{Name, RecordType};
use crate::handlers::authority::difference::add;
use crate::handlers::authority::{Builder, Zone};

/// Why a catalog is not obeyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatalogFault {
    /// It does not say `version` 2, and once (RFC 9432 §4.2.1).
    Version,
    /// A member has several PTR records (RFC 9432 §4.1).
    Ambiguous(Name),
    /// A zone is listed twice (RFC 9432 §4.1).
    Repeated(Name),
    /// It lists more zones than the bound allows.
    TooMany,
}

impl fmt::Display for CatalogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("the catalog does not say that it is of version 2"),
            Self::Ambiguous(member) => write!(f, "the catalog's member {member} has several PTR records"),
            Self::Repeated(zone) => write!(f, "the catalog lists {zone} twice"),
            Self::TooMany => f.write_str("the catalog lists too many zones"),
        }
    }
}

impl std::error::Error for CatalogFault {}

/// The zones that `catalog` lists, each with the label that it is listed under: another label for the same zone
/// is another zone (RFC 9432 §5.4).
///
/// # Errors
/// [`CatalogFault`].
pub fn members(catalog: &Zone) -> Result<BTreeMap<Name, Vec<u8>>, CatalogFault> {
    let apex = catalog.apex();
    let (mut members, mut is_of_version_2) = (BTreeMap::new(), false);
    for (owner, set) in catalog.rrsets() {
        let labels: Vec<&[u8]> = owner.labels().collect();
        let below = labels.get(..labels.len() - apex.label_count()).unwrap_or_default();
        match (below, set.rtype) {
            ([version], RecordType::TXT) if version.eq_ignore_ascii_case(b"version") => {
                let mut texts = set.rdatas();
                is_of_version_2 = texts.next() == Some(b"\x012") && texts.next().is_none();
            }
            ([label, zones], RecordType::PTR) if zones.eq_ignore_ascii_case(b"zones") => {
                let mut targets = set.rdatas().filter_map(|rdata| Name::from_wire(rdata).ok());
                let (Some((member, _)), None) = (targets.next(), targets.next()) else {
                    return Err(CatalogFault::Ambiguous(owner));
                };
                if members.len() >= bounds::CATALOG_MEMBERS_MAX {
                    return Err(CatalogFault::TooMany);
                }
                if members.insert(member.clone(), label.to_ascii_lowercase()).is_some() {
                    return Err(CatalogFault::Repeated(member));
                }
            }
            _ => {}
        }
    }
    if is_of_version_2 { Ok(members) } else { Err(CatalogFault::Version) }
}

/// The catalog `apex` that lists `zones`, with this serial number. A zone's label is made of its name alone, so
/// that it stays the same from one catalog to the next.
#[must_use]
pub fn produce<'z>(apex: &Name, serial: u32, zones: impl Iterator<Item = &'z Name>, keyed: Keyed) -> Option<Zone> {
    let mut builder = Builder::new(apex.clone());
    let invalid = b"\x07invalid\0";
    let numbers = [serial, 3_600, 600, 2_419_200, 0];
    let mut soa = [invalid.as_slice(), invalid].concat();
    soa.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    add(&mut builder, apex, RecordType::SOA, 0, &soa);
    add(&mut builder, apex, RecordType::NS, 0, invalid);
    add(&mut builder, &apex.child(b"version").ok()?, RecordType::TXT, 0, b"\x012");
    let parent = apex.child(b"zones").ok()?;
    for zone in zones.take(bounds::CATALOG_MEMBERS_MAX) {
        let digest = ring::digest::digest(&ring::digest::SHA256, zone.lowered().wire());
        let mut label = String::new();
        for octet in digest.as_ref().iter().take(16) {
            write!(label, "{octet:02x}").ok()?;
        }
        add(&mut builder, &parent.child(label.as_bytes()).ok()?, RecordType::PTR, 0, zone.wire());
    }
    builder.finish(keyed).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Dice;
    use crate::base::collections::keyed;
    use crate::handlers::authority::{load, master_file};

    fn hasher() -> Keyed {
        keyed(&mut Dice::from_number(1))
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn catalog(records: &str) -> Zone {
        let text = format!("@ 0 SOA invalid. invalid. 1 60 60 60 0\n@ 0 NS invalid.\n{records}");
        load(&name("cat.example."), text.as_bytes(), "test", &mut master_file::no_include, hasher()).0.unwrap()
    }

    #[test]
    fn what_is_produced_is_read_back() {
        let zones = [name("b.example."), name("A.example."), name("example.")];
        let catalog = produce(&name("cat.example."), 9, zones.iter(), hasher()).unwrap();
        assert_eq!(catalog.serial(), 9);
        assert_eq!(members(&catalog).unwrap().into_keys().collect::<Vec<_>>(), {
            let mut sorted = zones.to_vec();
            sorted.sort();
            sorted
        });
        let fewer = produce(&name("cat.example."), 10, zones.iter().skip(1), hasher()).unwrap();
        assert_eq!(members(&catalog).unwrap()[&zones[1]], members(&fewer).unwrap()[&zones[1]]);
    }

    #[test]
    fn properties_and_extensions_list_nobody() {
        let catalog = catalog(
            "version 0 TXT 2\nX1.zones 0 PTR one.test.\ngroup.x1.zones 0 TXT a\nx2.ext 0 PTR two.test.\n\
             coo.x1.zones 0 PTR three.test.",
        );
        assert_eq!(members(&catalog).unwrap(), BTreeMap::from([(name("one.test."), b"x1".to_vec())]));
    }

    #[test]
    fn a_broken_catalog_is_not_obeyed() {
        let fault = |records| members(&catalog(records)).unwrap_err();
        assert_eq!(fault("a.zones 0 PTR one.test."), CatalogFault::Version);
        assert_eq!(fault("version 0 TXT 1"), CatalogFault::Version);
        assert_eq!(fault("version 0 TXT 2\nversion 0 TXT 3"), CatalogFault::Version);
        let twice = "version 0 TXT 2\na.zones 0 PTR one.test.\na.zones 0 PTR two.test.";
        assert_eq!(fault(twice), CatalogFault::Ambiguous(name("a.zones.cat.example.")));
        let repeated = "version 0 TXT 2\na.zones 0 PTR one.test.\nb.zones 0 PTR One.test.";
        assert_eq!(fault(repeated), CatalogFault::Repeated(name("one.test.")));
    }
}
