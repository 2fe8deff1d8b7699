//! The protocol between the links of the chain: what a link is given, what it may answer, how the links are
//! walked, and how an answer becomes bytes. It knows no concrete link.
#![forbid(unsafe_code)]

pub mod answer;
pub mod choice;
pub mod chooser;
pub mod handler;
pub mod memory;
pub mod path;
pub mod query;
pub mod rewrite;
pub mod seal;
pub mod stake;
pub mod walk;

pub use answer::{Aged, Answer, Goal, Purpose};
pub use choice::{Choice, ChoiceStep};
pub use chooser::{Chooser, Pick};
pub use handler::{Handler, Recall, Turn, Verdict};
pub use memory::{Checked, Delegation, Denial, Learned, Memory, NameServer, Proofs, Rank, Remembered};
pub use path::{Path, Step};
pub use query::{Asker, Carrier, Query};
pub use rewrite::Rewrites;
pub use seal::{Extras, Sealed, seal, seal_as};
pub use stake::{Stake, Stakes};
pub use walk::Chain;
