//! What each command does. A command writes to `out` and returns the exit status.

mod check;
mod default_config;
mod remote;
mod serve;

pub use check::check;
pub use default_config::default_config;
pub use remote::{explain, flush, reload, status};
pub use serve::serve;
