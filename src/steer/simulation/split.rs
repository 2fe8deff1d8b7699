//! How far a split can be off, since resolvers, not people, are what is split (R10).

/// How unevenly clients are spread over resolvers: the sum of the squares of their shares; 1 for a single one.
#[must_use]
pub fn concentration(weights: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, squares) =
        weights.into_iter().fold((0.0, 0.0), |(sum, squares), weight| (sum + weight, squares + weight * weight));
    if sum > 0.0 { squares / (sum * sum) } else { 1.0 }
}

/// The shares, not normalised, of `count` resolvers of which the k-th has k⁻⁰·⁹ times the clients of the first.
pub fn zipf(count: u32) -> impl Iterator<Item = f64> {
    (1..=count).map(|place| f64::from(place).powf(-0.9))
}

/// The standard deviation of a share that is meant to be `share`, where each resolver falls to one side as a whole.
#[must_use]
pub fn split_error(share: f64, concentration: f64) -> f64 {
    (share * (1.0 - share) * concentration).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_80_20_split_is_off_by_the_known_points() {
        let error = |resolvers| 100.0 * split_error(0.8, concentration(zipf(resolvers)));
        assert!((error(2_000) - 4.6).abs() < 0.1, "{}", error(2_000));
        assert!((error(200) - 7.2).abs() < 0.1, "{}", error(200));
    }

    #[test]
    fn equal_resolvers_are_concentrated_as_one_over_their_number() {
        assert!((concentration([2.0; 50]) - 0.02).abs() < 1e-12);
        assert!((concentration([5.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_error_is_what_a_lottery_of_resolvers_shows() {
        let mut dice = crate::base::Dice::from_number(3);
        let weights: Vec<f64> = zipf(200).collect();
        let whole: f64 = weights.iter().sum();
        let shares: Vec<f64> =
            (0..20_000).map(|_| weights.iter().filter(|_| dice.below(10) < 8).sum::<f64>() / whole).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
        assert!((variance.sqrt() - split_error(0.8, concentration(zipf(200)))).abs() < 0.001);
    }
}
