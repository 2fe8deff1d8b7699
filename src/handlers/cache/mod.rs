//! The cache: remembers responses and knows how fresh they are.

pub mod finished;
pub mod recall;
