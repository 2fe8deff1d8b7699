/// The differences that have a reason.
const EXPLAINED: &[Explanation] = &[];
