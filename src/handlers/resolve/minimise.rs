//! QNAME minimisation (RFC 9156): how much of a name the next server sees.

use crate::base::bounds;
use crate::dns::Name;

/// How far the names of a question have been shown, on the way down from one zone cut to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// Steps taken for this question, over all cuts and aliases: else a chain of long names buys them for each (CAMP).
    steps: u8,
    /// Whether the name is a name server's.
    is_servers: bool,
}

impl Shown {
    /// For the name of a name server, in a sub-query for its address. Who asked for what is not to be read in it, so
    /// below the top level it is shown whole: that saves a query for each name that a hostile delegation makes up
    /// (NXNS, CAMP), and for some honest ones.
    #[must_use]
    pub fn of_server() -> Self {
        Self { is_servers: true, ..Self::default() }
    }

    /// The number of labels of `name` to ask for next, when names of `known` labels (the zone cut, or an empty
    /// non-terminal below it) are known to exist. The first steps add one label each; the later ones share the
    /// rest, so that a name of a hundred labels costs no more than [`bounds::MINIMISE_STEPS`] (RFC 9156 §2.3).
    pub fn next(&mut self, name: &Name, known: usize) -> usize {
        let all = name.label_count();
        let hidden = all.saturating_sub(known);
        let is_public = self.is_servers && known >= bounds::MINIMISE_SERVERS_ABOVE;
        if hidden <= 1 || is_public || self.steps >= bounds::MINIMISE_STEPS {
            return all;
        }
        let left = usize::from(bounds::MINIMISE_STEPS - self.steps);
        let more = if self.steps < bounds::MINIMISE_ONE_LABEL { 1 } else { hidden.div_ceil(left) };
        self.steps += 1;
        (known + more).min(all)
    }

    /// Shows the whole name from now on.
    pub fn give_up(&mut self) {
        self.steps = bounds::MINIMISE_STEPS;
    }

    /// Whether the whole name is shown from now on.
    #[must_use]
    pub const fn has_given_up(self) -> bool {
        self.steps >= bounds::MINIMISE_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_shown_label_by_label() {
        let name: Name = "a.b.example.test.".parse().unwrap();
        let mut shown = Shown::default();
        assert_eq!([1, 2, 3].map(|known| shown.next(&name, known)), [2, 3, 4]);
    }

    #[test]
    fn a_long_name_costs_few_steps() {
        let name: Name = "x.".repeat(120).parse().unwrap();
        let (mut shown, mut known, mut steps) = (Shown::default(), 0, 0);
        while known < 120 {
            let next = shown.next(&name, known);
            assert!(next > known, "every step shows more");
            assert!(steps >= 4 || next == known + 1, "the first four show one label each");
            known = next;
            steps += 1;
        }
        assert!(steps <= bounds::MINIMISE_STEPS + 1, "{steps} steps");
    }

    #[test]
    fn a_name_servers_name_is_hidden_from_the_root_and_the_top_level_only() {
        let name: Name = "ns.a.b.example.test.".parse().unwrap();
        let mut shown = Shown::of_server();
        assert_eq!([0, 1, 2].map(|known| shown.next(&name, known)), [1, 2, 5]);
    }
}
