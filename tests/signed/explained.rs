/// The differences that have a reason. One entry is one reason; it excuses only the servers that it names.
const EXPLAINED: &[Explanation] = &[];
