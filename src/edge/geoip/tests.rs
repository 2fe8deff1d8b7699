use super::layout::Fields;
use super::read::{read, read_at_most};
use super::testing::{World, flat, nested, random_address, write};
use super::writer::Datum;
use super::*;
use crate::base::{Dice, Network};
use crate::steer::{Locator, Place};
use proptest::prelude::*;
use std::fs;
use std::net::IpAddr;

fn atlas(files: &[Vec<u8>]) -> Atlas {
    Atlas::of(files.iter().map(|bytes| read(bytes, &Fields::default()).unwrap()))
}

fn place_of(atlas: &Atlas, address: IpAddr) -> Place {
    atlas.locate(address).map_or_else(Place::default, |(place, _)| place)
}

#[test]
fn each_layout_family_and_record_size_tells_the_same_world() {
    let world = World::new(1);
    let books = [
        atlas(&[write(&world.nested(None), 6, 24)]),
        atlas(&[write(&world.nested(None), 6, 28)]),
        atlas(&[write(&world.flat(None), 6, 32)]),
        atlas(&[write(&world.flat(Some(4)), 4, 24), write(&world.flat(Some(6)), 6, 28)]),
        atlas(&[write(&world.nested(Some(6)), 6, 24), write(&world.flat(Some(4)), 4, 32)]),
    ];
    let mut dice = Dice::from_number(2);
    let edges = world.networks.iter().map(|(network, _)| network.address());
    let addresses: Vec<_> = (0..20_000).map(|number| random_address(&mut dice, number % 2 == 0)).chain(edges).collect();
    for address in addresses {
        let place = world.place(address);
        for (number, book) in books.iter().enumerate() {
            assert_eq!(place_of(book, address), place, "{address} in book {number}");
        }
    }
}

#[test]
fn our_reading_agrees_with_the_readers_own_look_up() {
    let world = World::new(3);
    let bytes = write(&world.nested(None), 6, 24);
    let book = atlas(std::slice::from_ref(&bytes));
    let reader = maxminddb::Reader::from_source(bytes).unwrap();
    let mut dice = Dice::from_number(4);
    for number in 0..5_000 {
        let address = random_address(&mut dice, number % 2 == 0);
        let found = reader.lookup(address).unwrap().decode::<maxminddb::geoip2::City<'_>>().unwrap();
        let place = place_of(&book, address);
        let (city, location) = found.map_or((None, None), |city| {
            (city.city.names.english.map(str::to_owned), city.location.latitude.zip(city.location.longitude))
        });
        assert_eq!(place.city.as_deref(), city.as_deref());
        assert_eq!(place.latitude.zip(place.longitude), location);
    }
}

#[test]
fn a_place_reaches_as_far_as_its_prefix_and_no_farther() {
    let network = |text: &str| text.parse::<Network>().unwrap();
    let (one, two) = (Place::at(1.0, 2.0), Place::at(3.0, 4.0));
    let networks = [(network("192.0.2.0/24"), nested(&one)), (network("192.0.2.128/25"), nested(&two))];
    let book = atlas(&[write(&networks, 4, 24)]);
    assert_eq!(book.locate("192.0.2.1".parse().unwrap()), Some((one, 25)));
    assert_eq!(book.locate("192.0.2.200".parse().unwrap()), Some((two, 25)));
    assert_eq!(book.locate("192.0.3.1".parse().unwrap()), Some((Place::default(), 24)));
    assert_eq!(book.locate("2001:db8::1".parse().unwrap()), None);
}

#[test]
fn unusual_fields_are_read_where_the_operator_says() {
    let record = Datum::Map(vec![
        ("geo", Datum::Map(vec![("land", Datum::text("DE"))])),
        ("n", Datum::text("50.1")),
        ("e", Datum::Float(8.6)),
    ]);
    let bytes = write(&[("192.0.2.0/24".parse().unwrap(), record)], 4, 24);
    assert!(matches!(read(&bytes, &Fields::default()), Err(GeoCause::Fields)));
    let path = |text: &str| Some(text.parse().unwrap());
    let fields = Fields { country: path("geo.land"), latitude: path("n"), longitude: path("e"), ..Fields::default() };
    let book = Atlas::of([read(&bytes, &fields).unwrap()]);
    assert_eq!(place_of(&book, "192.0.2.9".parse().unwrap()).to_string(), "EU-DE, 50.10 8.60");
    assert_eq!("a..b".parse::<FieldPath>(), Err(BadFieldPath));
}

#[test]
fn impossible_coordinates_and_codes_are_no_place() {
    let record = |latitude: f64, country: &str| {
        Datum::Map(vec![
            ("latitude", Datum::Double(latitude)),
            ("longitude", Datum::Double(8.0)),
            ("country_code", Datum::text(country)),
        ])
    };
    let networks = [("192.0.2.0/25", 91.0, "ZZ"), ("192.0.2.128/25", f64::NAN, "DE")];
    let networks = networks.map(|(network, latitude, country)| (network.parse().unwrap(), record(latitude, country)));
    let book = atlas(&[write(&networks, 4, 24)]);
    assert!(place_of(&book, "192.0.2.1".parse().unwrap()).is_unknown());
    assert_eq!(place_of(&book, "192.0.2.129".parse().unwrap()).to_string(), "EU-DE");
}

#[test]
fn the_bundled_database_knows_countries_of_both_families() {
    let book = load(&[Database::Builtin]).unwrap().atlas;
    let country = |address: &str| place_of(&book, address.parse().unwrap()).country.map(|code| code.to_string());
    // Networks of registries, that have been where they are for decades.
    assert_eq!(country("193.0.6.139").as_deref(), Some("NL"));
    assert_eq!(country("2001:67c:2e8:22::c100:68b").as_deref(), Some("NL"));
    assert_eq!(country("18.0.0.1").as_deref(), Some("US"));
    assert_eq!(country("10.0.0.1"), None);
    assert!(book.v4().len() > 50_000 && book.v6().len() > 10_000);
}

#[test]
fn a_file_that_changes_has_another_state_and_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    let database = |place: &Place| write(&[("192.0.2.0/24".parse().unwrap(), flat(place))], 4, 24);
    fs::write(&path, database(&Place::at(1.0, 1.0))).unwrap();
    let databases = [Database::file(&path), Database::Builtin];
    let loaded = load(&databases).unwrap();
    assert_eq!(states(&databases), loaded.states);
    fs::write(&path, "no database").unwrap();
    assert_ne!(states(&databases), loaded.states);
    assert!(matches!(load(&databases).unwrap_err().cause, GeoCause::Format(_)));
    fs::remove_file(&path).unwrap();
    assert_ne!(states(&databases), loaded.states);
    assert!(matches!(load(&databases).unwrap_err().cause, GeoCause::File(_)));
    fs::write(&path, database(&Place::at(2.0, 2.0))).unwrap();
    let loaded = load(&databases[..1]).unwrap();
    assert_eq!(place_of(&loaded.atlas, "192.0.2.1".parse().unwrap()), Place::at(2.0, 2.0));
}

/// A small lawful database, to be spoilt.
fn small() -> Vec<u8> {
    let place = Place { country: "DE".parse().ok(), city: Some("Frankfurt".into()), ..Place::at(50.1, 8.7) };
    let networks = ["192.0.2.0/24", "198.51.100.0/25", "2001:db8::/32", "2001:db8:1::/48"];
    write(&networks.map(|network| (network.parse().unwrap(), nested(&place))), 6, 28)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_octets_make_the_reader_panic(octets in prop::collection::vec(any::<u8>(), 0..512)) {
        let mut with_end = octets.clone();
        with_end.extend(b"\xab\xcd\xefMaxMind.com");
        with_end.extend(&octets);
        for bytes in [octets, with_end] {
            prop_assert!(read_at_most(&bytes, &Fields::default(), 10_000).is_err());
        }
    }

    #[test]
    fn a_spoilt_database_is_refused_or_read_but_never_makes_the_reader_panic(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.1),
    ) {
        let mut bytes = small();
        for (at, octet) in spoils {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(source) = read_at_most(&bytes, &Fields::default(), 10_000) {
            let book = Atlas::of([source]);
            book.locate("192.0.2.1".parse().unwrap());
        }
    }
}
