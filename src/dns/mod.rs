//! What the DNS is: names, records, messages and their form on the wire. It knows no policy.
#![forbid(unsafe_code)]

pub mod cookie;
pub mod dnssec;
pub mod edns;
pub mod message;
pub mod name;
pub mod prepared;
pub mod rcode;
pub mod reverse;
pub mod rrset;
pub mod rtype;
pub mod run;
pub mod subnet;
pub mod wire;

pub use edns::Edns;
pub use message::{Flags, Message, Opcode, Question, Record};
pub use name::{Name, NameFault};
pub use prepared::PreparedAnswer;
pub use rcode::{Ede, EdeCode, Rcode};
pub use rrset::{Rdatas, RrSet};
pub use rtype::{Class, RecordType};
pub use subnet::ClientSubnet;
