//! What to do in a branch that cannot be reached if the code is right.
//!
//! A broker that serves others must not end because of such a branch, and must not hide it either.

/// Says that a branch was reached that cannot be reached: panics in tests and debug builds, and logs one line for each place in the
/// source in release builds, after which the code goes on with what follows. The arguments are those of `format!`; give the
/// values that show what is wrong, but nothing that may be long.
macro_rules! impossible {
    ($($text:tt)+) => {{
        if cfg!(debug_assertions) {
            #[allow(clippy::panic, reason = "a wrong assumption must be seen in tests")]
            {
                panic!($($text)+);
            }
        }
        // One line for each place: a branch that is reached for each message must not fill the log.
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| {
            tracing::error!(
                "a branch was reached that should be impossible, at {}:{}: {}; please report it",
                file!(),
                line!(),
                format_args!($($text)+)
            );
        });
    }};
}

pub(crate) use impossible;
