//! What each command does. A command writes to `out` and returns the exit status.

mod check;
mod default_config;
mod pools;
mod reloading;
mod remote;
mod scopes;
mod serve;
mod simulate;
mod steered;
mod table;

pub use check::check;
pub use default_config::default_config;
pub use pools::{drain, force, unforce};
pub use remote::{explain, flush, reload, status};
pub use serve::serve;
pub use simulate::simulate;
