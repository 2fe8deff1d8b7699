//! What `explain` shows of a resolution: its steps in order.

use std::net::SocketAddr;

use super::classify::Finding;
use crate::base::Instant;
use crate::dns::{Name, Rcode, RecordType};

/// One step of a resolution, and when it was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What a step was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A question begins to be pursued, from a zone cut.
    Begin {
        /// The name.
        name: Name,
        /// The type.
        rtype: RecordType,
        /// The zone whose servers are asked first.
        zone: Name,
    },
    /// A query is sent.
    Send {
        /// Whom.
        server: SocketAddr,
        /// Over TCP.
        is_tcp: bool,
        /// The zone the server is asked as.
        zone: Name,
        /// The name, perhaps minimised.
        name: Name,
        /// The type.
        rtype: RecordType,
    },
    /// A question is handed to a forwarder.
    Forward {
        /// The forward zone.
        zone: Name,
        /// The name.
        name: Name,
        /// The type.
        rtype: RecordType,
    },
    /// Something is checked, by the signatures that came along.
    Check {
        /// What.
        name: Name,
        /// Its type.
        rtype: RecordType,
        /// What was found, in words.
        verdict: String,
    },
    /// A response or its absence is judged.
    Judge {
        /// Whose.
        server: Option<SocketAddr>,
        /// What it was, in words.
        verdict: String,
    },
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begin { name, rtype, zone } => write!(f, "begin {name} {rtype} at the servers of {zone}"),
            Self::Send { server, is_tcp, zone, name, rtype } => {
                let how = if *is_tcp { " over TCP" } else { "" };
                write!(f, "ask {server}{how} (zone {zone}) for {name} {rtype}")
            }
            Self::Forward { zone, name, rtype } => write!(f, "forward {name} {rtype} by zone {zone}"),
            Self::Check { name, rtype, verdict } => write!(f, "check {name} {rtype}: {verdict}"),
            Self::Judge { server: Some(server), verdict } => write!(f, "{server}: {verdict}"),
            Self::Judge { server: None, verdict } => write!(f, "forwarder: {verdict}"),
        }
    }
}

/// Collects steps where somebody wants them, and logs them at `debug`; costs a test of a flag where nobody does.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    steps: Option<Vec<Step>>,
}

/// Steps kept of one explanation.
const STEPS_MAX: usize = 1_000;

impl Trace {
    /// A trace that collects.
    #[must_use]
    pub const fn collecting() -> Self {
        Self { steps: Some(Vec::new()) }
    }

    /// Adds the step that `what` makes, if anybody listens.
    pub fn note(&mut self, at: Instant, what: impl FnOnce() -> What) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let what = what();
            tracing::debug!("{what}");
            self.keep(at, || what);
        } else {
            self.keep(at, what);
        }
    }

    fn keep(&mut self, at: Instant, what: impl FnOnce() -> What) {
        if let Some(steps) = &mut self.steps
            && steps.len() < STEPS_MAX
        {
            steps.push(Step { at, what: what() });
        }
    }

    /// The steps so far.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.steps.as_deref().unwrap_or_default()
    }
}

/// What a response said, in a few words.
pub(super) fn describe(finding: &Finding, rcode: Rcode) -> String {
    match finding {
        Finding::Referral(delegation, _) => format!("referral to {}", delegation.zone),
        Finding::Chain(chain) => match chain.aliases.len() {
            0 => rcode.to_string(),
            1 => format!("{rcode}, an alias"),
            more => format!("{rcode}, {more} aliases"),
        },
        Finding::Lame(why) => (*why).to_owned(),
    }
}
