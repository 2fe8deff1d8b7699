//! Small houses, as the program builds them from a configuration, with a cache that repeats exactly.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use meridian::app::build::{Built, Files, Kept, build};
use meridian::app::config::{Config, Machine, load};
use meridian::base::Dice;
use meridian::handlers::cache::{Cache, Settings};

/// A configuration, to build many houses by.
pub(crate) struct Plan {
    config: Config,
    cache: Settings,
}

impl Plan {
    pub(crate) fn new(text: &str) -> Self {
        let machine = Machine { cores: NonZeroUsize::MIN, memory: None };
        let config = load(Path::new("fuzz.yaml"), text.as_bytes(), &machine).expect("a sound configuration").config;
        let mut dice = Dice::from_number(1);
        let mut kept = Kept::nothing(&mut dice);
        drop(build(&config, Files::default(), &mut kept, |_, _| {}, &mut dice));
        let (cache, _) = kept.cache.expect("the configuration has a cache");
        Self { config, cache }
    }

    /// A new house with an empty cache; `furnish` is given what it keeps before it is built.
    pub(crate) fn build(&self, files: Files, furnish: impl FnOnce(&mut Kept, &mut Dice)) -> Built {
        let mut dice = Dice::from_number(1);
        let mut kept = Kept::nothing(&mut dice);
        let cache = Arc::new(Cache::simulated(self.cache.clone(), &mut dice));
        kept.cache = Some((self.cache.clone(), cache));
        furnish(&mut kept, &mut dice);
        build(&self.config, files, &mut kept, |_, _| {}, &mut dice)
    }
}
