//! Where somebody is, sought when the first stage asks: a choice that rests on what is compiled never does, and so never
//! walks through a database that is too large to stay near the processor.

use std::cell::OnceCell;
use std::fmt;

use super::asker::Scope;
use super::place::Place;

/// A place, and the prefix length within which everybody has it; perhaps not sought yet.
pub struct Whereabouts<'a> {
    found: OnceCell<(Place, Scope)>,
    seek: &'a dyn Fn() -> (Place, Scope),
}

impl<'a> Whereabouts<'a> {
    /// What `seek` will say, asked once at most.
    #[must_use]
    pub const fn sought(seek: &'a dyn Fn() -> (Place, Scope)) -> Self {
        Self { found: OnceCell::new(), seek }
    }

    /// What is known already.
    #[must_use]
    pub fn known(place: Place, scope: Scope) -> Self {
        Self { found: OnceCell::from((place, scope)), seek: &|| (Place::default(), Scope::ALL) }
    }

    /// The place.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.found.get_or_init(self.seek).0
    }

    /// The prefix length.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.found.get_or_init(self.seek).1
    }

    /// The place, if anybody has asked for it yet.
    #[must_use]
    pub fn found(&self) -> Option<&Place> {
        self.found.get().map(|(place, _)| place)
    }

    /// The place, if anybody asked for it.
    #[must_use]
    pub fn into_place(self) -> Option<Place> {
        self.found.into_inner().map(|(place, _)| place)
    }
}

impl fmt::Debug for Whereabouts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_place_is_sought_once_and_only_if_somebody_asks() {
        let times = Cell::new(0);
        let seek = || {
            times.set(times.get() + 1);
            (Place::at(1.0, 2.0), Scope(9))
        };
        assert_eq!(Whereabouts::sought(&seek).into_place(), None);
        assert_eq!(times.get(), 0);
        let asked = Whereabouts::sought(&seek);
        assert_eq!((asked.place().clone(), asked.scope()), (Place::at(1.0, 2.0), Scope(9)));
        assert_eq!((asked.into_place(), times.get()), (Some(Place::at(1.0, 2.0)), 1));
    }
}
