//! What the integration tests share: private network namespaces, real servers as child processes, a private
//! DNS tree with servers good and bad, the resolvers under comparison, and an asker.
//!
//! Nothing here leaves the machine: every test that needs the tree runs itself again inside a fresh network
//! namespace whose only interface is the loopback one, so port 53 and all of 198.18.0.0/15 are its own. The
//! namespace comes with a PID namespace, so that no server outlives its test, however the test ends.
//!
//! The message code is apart from Meridian's on purpose: a fault in the one must not hide in the other.
#![allow(dead_code, unreachable_pub, reason = "each test takes the part it needs")]

pub mod api_server;
pub mod ask;
pub mod browser;
pub mod fake;
pub mod mmdb;
pub mod namespace;
pub mod process;
pub mod resolvers;
pub mod schema;
pub mod scrape;
pub mod signed;
pub mod tree;
pub mod validators;
pub mod wait;
pub mod wire;
pub mod zonefile;
