//! Unpredictability from the operating system.
#![forbid(unsafe_code)]

use std::io;

use crate::base::Dice;

/// Dice seeded from the operating system; each worker gets its own.
///
/// # Errors
/// The system's, where it has no randomness to give: then nothing must be served.
pub fn dice() -> io::Result<Dice> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|fault| io::Error::other(fault.to_string()))?;
    Ok(Dice::from_seed(seed))
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_dice_never_agree() {
        assert_ne!(super::dice().unwrap().bits(), super::dice().unwrap().bits());
    }
}
