//! Whose place decides what a policy answers.

/// Whose place decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Client {
    /// The client subnet's if there is one, else the resolver's.
    #[default]
    Auto,
    /// The client subnet's alone; without one, nobody's.
    Ecs,
    /// The resolver's alone.
    Resolver,
}

/// Who counts where the place of a client subnet is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unknown {
    /// Nobody: what the policy does for those whose place is unknown.
    #[default]
    Nobody,
    /// The resolver.
    Resolver,
}
