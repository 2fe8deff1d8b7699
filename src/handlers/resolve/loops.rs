//! Forwarding that leads back to us: two servers that forward to each other answer nothing, and wait for it.
//!
//! Now and then each forward zone's upstreams are asked for a name that nobody else can know. If that question comes to us,
//! the zone's forwarding leads back: what would go there gets SERVFAIL at once, with the reason, until such a question
//! stays away again. All else is answered as ever; a cluster's own names do not depend on what is outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Settings;
use super::settings::Route;
use crate::base::Dice;
use crate::base::tally::Event;
use crate::chain::{Answer, Handler, Query, Turn, Verdict};
use crate::dns::{Ede, EdeCode, Name, Question, Rcode, RecordType};

/// A type that hardly anybody asks for and that every server knows.
const RTYPE: RecordType = RecordType::HINFO;

/// The link, right before [`super::Resolve`], and what it has seen.
#[derive(Clone, Debug)]
pub struct Loops(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    /// As many as [`Settings::forward`] has.
    zones: Box<[Zone]>,
}

#[derive(Debug, Default)]
struct Zone {
    /// The name asked for just now.
    probe: Mutex<Option<Name>>,
    has_returned: AtomicBool,
    leads_back: AtomicBool,
}

/// What a probe has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// The zone's forwarding leads back to us.
    LeadsBack,
    /// It does no longer.
    LeadsAway,
}

impl Loops {
    /// Nothing has been seen of the forward zones in `settings`.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        let zones = settings.forward.iter().map(|_| Zone::default()).collect();
        Self(Arc::new(Shared { settings, zones }))
    }

    /// The forward zones, each with whether it leads back.
    pub fn zones(&self) -> impl Iterator<Item = (&Name, bool)> {
        let leads_back = |zone: &Zone| zone.leads_back.load(Ordering::Relaxed);
        self.0.settings.forward.iter().zip(self.0.zones.iter().map(leads_back))
    }

    /// The question by which the zone `at` is tried; it is waited for until [`Loops::end`]. None where the zone's name leaves
    /// no room for it. Nobody can foresee it, so nobody else can make us believe in a loop.
    #[must_use]
    pub fn begin(&self, at: usize, dice: &mut Dice) -> Option<Question> {
        let (apex, zone) = (self.0.settings.forward.get(at)?, self.0.zones.get(at)?);
        let labels = format!("{:016x}.{:016x}.", dice.bits(), dice.bits());
        let name = labels.parse::<Name>().ok()?.with_ending(&Name::root(), apex)?.ok()?;
        zone.has_returned.store(false, Ordering::Relaxed);
        *zone.probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
        Some(Question::new(name, RTYPE))
    }

    /// The probe of the zone `at` has had its time.
    #[must_use]
    pub fn end(&self, at: usize) -> Change {
        let Some(zone) = self.0.zones.get(at) else { return Change::None };
        *zone.probe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let leads_back = zone.has_returned.load(Ordering::Relaxed);
        match (zone.leads_back.swap(leads_back, Ordering::Relaxed), leads_back) {
            (false, true) => Change::LeadsBack,
            (true, false) => Change::LeadsAway,
            _ => Change::None,
        }
    }

    /// The zone whose probe asks for `name`.
    fn probed(&self, name: &Name) -> Option<&Zone> {
        self.0.zones.iter().find(|zone| {
            let probe = zone.probe.lock().unwrap_or_else(PoisonError::into_inner);
            probe.as_ref().is_some_and(|probe| probe == name)
        })
    }
}

impl Handler for Loops {
    fn name(&self) -> &'static str {
        "loops"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let question = &query.question;
        if question.rtype == RTYPE
            && let Some(zone) = self.probed(&question.name)
        {
            zone.has_returned.store(true, Ordering::Relaxed);
            return refuse("this server asked it: forwarding leads back to it");
        }
        let Some(Route::Forward(at, _)) = self.0.settings.route(&question.name) else { return Verdict::Pass };
        let leads_back = self.0.zones.get(at).is_some_and(|zone| zone.leads_back.load(Ordering::Relaxed));
        if !leads_back || !query.flags.recursion_desired || !query.asker.may_recurse {
            return Verdict::Pass;
        }
        turn.tally.count(Event::ForwardLoops);
        refuse("forwarding leads back to this server")
    }
}

fn refuse(text: &'static str) -> Verdict {
    Verdict::Answer(Answer::refusal(Rcode::SERVFAIL, Ede::new(EdeCode::Other, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::testing::{Ask, answer};

    fn loops(zones: &[&str]) -> Loops {
        let forward = zones.iter().map(|zone| zone.parse().unwrap()).collect();
        Loops::new(Arc::new(Settings { forward, ..Settings::default() }))
    }

    fn ask(question: &Question) -> Ask {
        Ask::new(&question.name.to_string(), &question.rtype.to_string())
    }

    #[test]
    fn a_probe_that_comes_back_closes_its_zone_until_one_stays_away() {
        let (loops, mut dice) = (loops(&[".", "corp.example."]), Dice::from_number(1));
        assert_eq!(Ask::new("www.example.", "A").of(&loops), Verdict::Pass);
        let probe = loops.begin(0, &mut dice).unwrap();
        assert_eq!(answer(ask(&probe).of(&loops)).rcode, Rcode::SERVFAIL);
        assert_eq!(loops.end(0), Change::LeadsBack);
        let refused = answer(Ask::new("www.example.", "A").of(&loops));
        assert_eq!(
            (refused.rcode, refused.ede.unwrap().text.as_ref()),
            (Rcode::SERVFAIL, "forwarding leads back to this server")
        );
        // The other zone, and whoever may not have recursion anyway, are not concerned.
        assert_eq!(Ask::new("www.corp.example.", "A").of(&loops), Verdict::Pass);
        assert_eq!(Ask::new("www.example.", "A").stranger().of(&loops), Verdict::Pass);
        assert_eq!(loops.zones().map(|(_, leads_back)| leads_back).collect::<Vec<_>>(), [true, false]);
        // While it leads back, it is tried again; what comes back now changes nothing.
        let probe = loops.begin(0, &mut dice).unwrap();
        assert_eq!(answer(ask(&probe).of(&loops)).rcode, Rcode::SERVFAIL);
        assert_eq!(loops.end(0), Change::None);
        loops.begin(0, &mut dice).unwrap();
        assert_eq!(loops.end(0), Change::LeadsAway);
        assert_eq!(Ask::new("www.example.", "A").of(&loops), Verdict::Pass);
    }

    #[test]
    fn only_the_probe_under_way_counts() {
        let (loops, mut dice) = (loops(&["corp.example."]), Dice::from_number(2));
        let before = loops.begin(0, &mut dice).unwrap();
        let probe = loops.begin(0, &mut dice).unwrap();
        assert_ne!(before, probe);
        assert!(probe.name.is_below(&"corp.example.".parse().unwrap()), "{}", probe.name);
        assert_eq!(ask(&before).of(&loops), Verdict::Pass, "somebody has kept an old one");
        assert_eq!(Ask::new(&probe.name.to_string(), "A").of(&loops), Verdict::Pass, "another type");
        assert_eq!(loops.end(0), Change::None);
        assert_eq!(ask(&probe).of(&loops), Verdict::Pass, "it came too late");
        assert_eq!(loops.begin(7, &mut dice), None, "there is no such zone");
    }
}
