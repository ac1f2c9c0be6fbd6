//! Which value counts where two set the same: a user and an operator, or an argument and a policy.

/// Which of two values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The first one: that of the operator, or of the argument.
    First,
    /// The second one: that of the user, or of the policy.
    Second,
    /// The smaller number.
    Smaller,
    /// The larger number.
    Larger,
    /// The smaller number, where a negative one means that there is no limit.
    SmallerLimit,
}

impl Merge {
    /// Whether the first value counts. What is no number gives way to a number where numbers are compared.
    pub(crate) fn prefers_first(self, first: Option<i128>, second: Option<i128>) -> bool {
        let (first, second) = match (self, first, second) {
            (Self::First, _, _) => return true,
            (Self::Second, _, _) => return false,
            (_, Some(first), Some(second)) => (first, second),
            (_, first, _) => return first.is_some(),
        };
        match self {
            Self::Smaller => first <= second,
            Self::SmallerLimit if first >= 0 && second >= 0 => first <= second,
            Self::First | Self::Second | Self::Larger | Self::SmallerLimit => first >= second,
        }
    }
}
