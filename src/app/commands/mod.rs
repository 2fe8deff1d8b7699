//! What each command does. A command writes to `out` and returns the exit status.

mod asking;
mod check;
mod corefile;
mod default_config;
mod manual;
mod pools;
mod reloading;
mod remote;
mod scopes;
mod serve;
mod simulate;
mod steered;
mod table;
mod trust;

pub use check::check;
pub use corefile::corefile;
pub use default_config::default_config;
pub use manual::{completions, man};
pub use pools::{drain, force, unforce};
pub use remote::{explain, flush, ready, reload, status};
pub use serve::serve;
pub use simulate::simulate;
pub use trust::{except, trust, unexcept};
