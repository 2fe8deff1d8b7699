//! How likely each member is to lead: what a simulation wants to know instead of drawing a thousand times.
//!
//! Nearly every picker is a race in which each of the tied leads as often as its weight says. Where one such race
//! alone decides, the odds are known exactly; where chance had a say in another way, they are said to be unknown.

/// The odds of a selection.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Odds {
    /// Chance had no say: the first is the first.
    #[default]
    Certain,
    /// These members lead with these probabilities, which sum to 1.
    Race(Vec<(u16, f64)>),
    /// Chance had a say that no race tells.
    Unknown,
}

impl Odds {
    /// The odds after a race of members with their weights. One whose order an earlier race has settled is none.
    pub(super) fn raced(self, mut racers: Vec<(u16, f64)>) -> Self {
        let sum: f64 = racers.iter().map(|(_, weight)| weight).sum();
        match self {
            Self::Certain if racers.len() < 2 => Self::Certain,
            Self::Certain if sum > 0.0 => {
                for (_, weight) in &mut racers {
                    *weight /= sum;
                }
                Self::Race(racers)
            }
            _ => Self::Unknown,
        }
    }

    /// Settles what a stage leaves of the odds that were known `before` it: only cutting the end off keeps a race.
    pub(super) fn settle(&mut self, before: &Self, stage: &str) {
        if matches!(before, Self::Race(_)) && self == before && stage != "first" {
            *self = Self::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_race_is_known_and_two_are_not() {
        let race = Odds::Certain.raced(vec![(0, 3.0), (1, 1.0)]);
        assert_eq!(race, Odds::Race(vec![(0, 0.75), (1, 0.25)]));
        assert_eq!(race.raced(vec![(0, 3.0), (1, 1.0)]), Odds::Unknown);
        assert_eq!(Odds::Certain.raced(vec![(7, 3.0)]), Odds::Certain);
    }

    #[test]
    fn what_ranks_after_a_race_makes_its_odds_unknown() {
        let race = Odds::Race(vec![(0, 0.5), (1, 0.5)]);
        let mut cut = race.clone();
        cut.settle(&race, "first");
        assert_eq!(cut, race);
        cut.settle(&race, "nearest");
        assert_eq!(cut, Odds::Unknown);
    }
}
