//! `nearest`: prefers members by their distance on the globe (R3).

use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::steer::centroids;
use crate::steer::place::Point;

/// Places nearer together than a millimetre are one.
const SAME_PLACE_KM: f64 = 1e-6;

/// How much farther than the nearest still counts as near.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Within {
    /// Only equal distances are equal.
    #[default]
    Equal,
    /// By a share of the nearest's distance: 0.1 for 10 %.
    Share(f64),
    /// By so many kilometres.
    Kilometres(f64),
}

/// The stage.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Nearest {
    /// Members that count as equally near; the next stage chooses among them.
    pub within: Within,
    /// Percent by which members look nearer, −99 to 99.
    pub bias: Vec<(u16, f64)>,
    /// Who is preferred for askers whose place is unknown, in order.
    pub fallback: Vec<u16>,
}

impl Nearest {
    fn order_by_fallback(&self, set: &mut Candidates<'_>) {
        set.note(None, || "the asker's place is unknown".to_owned());
        let behind = self.fallback.len();
        set.set_keys(|candidate| {
            self.fallback.iter().position(|&member| member == candidate.member).unwrap_or(behind) as f64
        });
        set.rank(|one, other| one.total_cmp(&other).is_eq());
    }

    pub(super) fn order_from(&self, here: &Point, set: &mut Candidates<'_>) {
        let pool = set.pool;
        set.set_keys(|candidate| {
            let Some(there) = pool.mark(candidate.member).and_then(|mark| mark.point) else { return f64::INFINITY };
            let own = self.bias.iter().find(|(member, _)| *member == candidate.member).map_or(0.0, |(_, bias)| *bias);
            biased(here.distance_km(&there), own + candidate.bias)
        });
        set.note_keys(|km| if km.is_finite() { format!("{km:.0} km") } else { "no place".to_owned() });
        // Who has no place is never chosen for being near; a rule may still ask for it.
        let placed = set.list().iter().any(|candidate| candidate.key.is_finite() && !candidate.is_gone);
        set.retain(|candidate| candidate.key.is_finite() || candidate.is_named || !placed);
        match self.within {
            Within::Equal => set.rank(|first, other| other - first <= SAME_PLACE_KM || first.total_cmp(&other).is_eq()),
            Within::Share(share) => set
                .rank(|first, other| other <= first * (1.0 + share) + SAME_PLACE_KM || first.total_cmp(&other).is_eq()),
            Within::Kilometres(km) => set.rank(|first, other| other <= first + km.max(SAME_PLACE_KM)),
        }
    }
}

/// A distance as a bias makes it look: nearer by b % for b > 0, farther for b < 0.
fn biased(km: f64, bias: f64) -> f64 {
    let bias = bias.clamp(-99.0, 99.0) / 100.0;
    if bias >= 0.0 { km * (1.0 - bias) } else { km / (1.0 + bias) }
}

impl Stage for Nearest {
    fn name(&self) -> &'static str {
        "nearest"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        set.retire_standbys();
        match centroids::point_of(asker.place()) {
            Some(here) => self.order_from(&here, set),
            None => self.order_by_fallback(set),
        }
        asker.place_scope()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::place::Place;
    use crate::steer::pool::Pool;
    use crate::steer::testing::{asker_at, member, order, pool_of};

    fn world() -> Pool {
        let sites = [("iad", 39.04, -77.49), ("fra", 50.03, 8.57), ("sin", 1.36, 103.99), ("ams", 52.31, 4.76)];
        let mut members: Vec<_> = sites
            .iter()
            .map(|(name, latitude, longitude)| {
                let mut member = member(name, 1.0);
                member.place = Place::at(*latitude, *longitude);
                member
            })
            .collect();
        members.push(member("nowhere", 1.0));
        pool_of(members)
    }

    fn leaders(stage: &Nearest, latitude: f64, longitude: f64) -> Vec<u16> {
        let (pool, place) = (world(), Place::at(latitude, longitude));
        let asker = asker_at("192.0.2.1", &place);
        let mut set = Candidates::new(&pool, &[], None, &asker);
        assert_eq!(stage.apply(&asker, &mut set, &mut Dice::from_number(1)), asker.place_scope());
        set.leaders().iter().map(|candidate| candidate.member).collect()
    }

    #[test]
    fn the_nearest_leads_and_who_has_no_place_is_not_among_them() {
        let (pool, place) = (world(), Place::at(48.86, 2.35));
        let all = order(&Nearest::default(), &pool, &asker_at("192.0.2.1", &place), &mut Dice::from_number(1));
        assert_eq!(all, [3, 1, 0, 2]);
    }

    #[test]
    fn who_is_known_by_country_or_continent_stands_at_its_centre() {
        let nearest = |place: &Place| {
            order(&Nearest::default(), &world(), &asker_at("192.0.2.1", place), &mut Dice::from_number(1))[0]
        };
        let france = Place { country: "FR".parse().ok(), continent: "EU".parse().ok(), ..Place::default() };
        let asia = Place { continent: "AS".parse().ok(), ..Place::default() };
        assert_eq!((nearest(&france), nearest(&asia)), (1, 2));
    }

    #[test]
    fn those_within_the_band_are_tied() {
        assert_eq!(leaders(&Nearest::default(), 48.86, 2.35), [3]);
        let band = |within| Nearest { within, ..Nearest::default() };
        assert_eq!(leaders(&band(Within::Share(0.2)), 48.86, 2.35), [3, 1]);
        assert_eq!(leaders(&band(Within::Kilometres(100.0)), 48.86, 2.35), [3, 1]);
        assert_eq!(leaders(&band(Within::Kilometres(10.0)), 48.86, 2.35), [3]);
    }

    #[test]
    fn a_bias_makes_a_member_look_nearer() {
        let stage = Nearest { bias: vec![(1, 20.0)], ..Nearest::default() };
        assert_eq!(leaders(&stage, 48.86, 2.35), [1]);
        assert!((biased(100.0, 20.0) - 80.0).abs() < 1e-9 && (biased(100.0, -50.0) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_place_has_no_nearest() {
        let (pool, place) = (world(), Place::default());
        let stage = Nearest { fallback: vec![2], ..Nearest::default() };
        let all = order(&stage, &pool, &asker_at("192.0.2.1", &place), &mut Dice::from_number(1));
        assert_eq!(all, [2, 0, 1, 3, 4]);
    }

    #[test]
    fn a_country_is_as_near_as_its_people() {
        let place = Place { continent: "AS".parse().ok(), country: "MY".parse().ok(), ..Place::default() };
        let all = order(&Nearest::default(), &world(), &asker_at("192.0.2.1", &place), &mut Dice::from_number(1));
        assert_eq!(all[0], 2);
        let place = Place { country: None, ..place };
        let all = order(&Nearest::default(), &world(), &asker_at("192.0.2.1", &place), &mut Dice::from_number(1));
        assert_eq!(all[0], 2);
    }

    #[test]
    fn the_first_is_the_nearest_by_the_haversine_formula() {
        let mut dice = Dice::from_number(11);
        let mut angle = |half: f64| (dice.bits() as f64 / u64::MAX as f64 * 2.0 - 1.0) * half;
        let places: Vec<Place> = (0..200).map(|_| Place::at(angle(90.0), angle(180.0))).collect();
        let members = places.iter().enumerate().map(|(at, place)| {
            let mut member = member(&format!("m{at}"), 1.0);
            member.place = place.clone();
            member
        });
        let pool = pool_of(members.collect());
        let haversine = |a: &Place, b: &Place| {
            let radians = |degrees: Option<f64>| degrees.unwrap().to_radians();
            let (lat1, lat2) = (radians(a.latitude), radians(b.latitude));
            let (half_lat, half_lon) = ((lat2 - lat1) / 2.0, (radians(b.longitude) - radians(a.longitude)) / 2.0);
            let h = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
            2.0 * h.sqrt().min(1.0).asin() * crate::steer::place::EARTH_RADIUS_KM
        };
        for _ in 0..2_000 {
            let client = Place::at(angle(90.0), angle(180.0));
            let first =
                order(&Nearest::default(), &pool, &asker_at("192.0.2.1", &client), &mut Dice::from_number(1))[0];
            let best = places.iter().map(|place| haversine(&client, place)).fold(f64::INFINITY, f64::min);
            assert!(haversine(&client, &places[usize::from(first)]) - best < 0.001);
        }
    }

    #[test]
    fn where_the_country_alone_is_known_its_middle_counts() {
        let pool = world();
        let place = Place { country: Some("SG".parse().unwrap()), ..Place::default() };
        let mut dice = Dice::from_number(1);
        assert_eq!(order(&Nearest::default(), &pool, &asker_at("192.0.2.1", &place), &mut dice)[0], 2);
    }
}
