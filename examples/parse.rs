//! Reads a DNS message, written in hexadecimal digits, and says what is in it, or where it is broken.
//!
//!     cargo run --example parse -- 123401000001000000000000 0377777707657861 6d706c6500 0001 0001
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::process::ExitCode;

use meridian::dns::{Message, Record};

fn main() -> ExitCode {
    let digits: String = std::env::args().skip(1).collect();
    let Some(octets) = octets(&digits) else {
        eprintln!("what is not an even number of hexadecimal digits is no message");
        return ExitCode::from(2);
    };
    match Message::parse(&octets) {
        Ok(message) => {
            print(&message);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            println!("broken: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn octets(digits: &str) -> Option<Vec<u8>> {
    let is_whole = digits.len().is_multiple_of(2) && digits.is_ascii();
    let octet = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    is_whole.then(|| (0..digits.len()).step_by(2).map(octet).collect())?
}

fn print(message: &Message) {
    let kind = if message.flags.response { "response" } else { "query" };
    println!("{kind} {}, {}", message.id, message.rcode);
    for question in &message.questions {
        println!("  question {} {}", question.name, question.rtype);
    }
    let sections =
        [("answer", &message.answer), ("authority", &message.authority), ("additional", &message.additional)];
    for (section, records) in sections {
        for Record { owner, rtype, ttl, rdata, .. } in records {
            println!("  {section} {owner} {rtype}, for {ttl} s, {} octets", rdata.len());
        }
    }
    if let Some(edns) = &message.edns {
        println!("  EDNS, up to {} octets over UDP", edns.udp_size);
    }
}
