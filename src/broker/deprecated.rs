//! What RabbitMQ deprecates and clients still use: counted, and named once in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use super::profile::{Permission, Profile};
use crate::error::AmqpError;

macro_rules! deprecated_features {
    ($($(#[$doc:meta])* $variant:ident, $row:ident, $advice:literal;)*) => {
        /// A feature that RabbitMQ deprecates.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum DeprecatedFeature {
            $($(#[$doc])* $variant,)*
        }

        impl DeprecatedFeature {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// RabbitMQ's name for it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($row),)*
                }
            }

            /// Whether clients may use it in this profile.
            pub(crate) const fn permission(self, profile: &Profile) -> Permission {
                match self {
                    $(Self::$variant => profile.$row,)*
                }
            }

            /// What to do about it.
            pub(crate) const fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)*
                }
            }
        }
    };
}

deprecated_features! {
    /// `basic.qos` with `global`.
    GlobalQos, global_qos, "4.3 treats a channel-wide prefetch as one for each consumer; set it with global=false";
    /// Queues that are neither durable nor exclusive.
    TransientNonexclQueues, transient_nonexcl_queues, "declare the queue durable, or exclusive";
    /// `x-queue-master-locator`.
    QueueMasterLocator, queue_master_locator, "4.3 refuses x-queue-master-locator; leave it out or use x-queue-leader-locator";
}

/// How often each deprecated feature was used.
#[derive(Debug, Default)]
pub struct DeprecatedUse([AtomicU64; DeprecatedFeature::ALL.len()]);

impl DeprecatedUse {
    /// Counts a use, and names the feature in the log the first time, with who used it for what.
    pub(crate) fn note(&self, feature: DeprecatedFeature, used_by: impl FnOnce() -> String) {
        let before = self.0.get(feature as usize).map_or(0, |count| count.fetch_add(1, Ordering::Relaxed));
        if before == 0 {
            tracing::warn!(
                feature = feature.name(),
                used_by = used_by(),
                "a client uses a feature that RabbitMQ deprecates: {}",
                feature.advice()
            );
        }
    }

    /// Counts a use, unless the profile denies it.
    ///
    /// # Errors
    /// RabbitMQ's 541 (behaviour reference 4.2).
    pub(crate) fn require(
        &self,
        feature: DeprecatedFeature,
        profile: &Profile,
        used_by: impl FnOnce() -> String,
    ) -> Result<(), AmqpError> {
        self.note(feature, used_by);
        match feature.permission(profile) {
            Permission::Permitted => Ok(()),
            Permission::Denied => Err(AmqpError::internal_error(format!(
                "Feature `{}` is deprecated.\nBy default, this feature is not permitted anymore.\nThe feature will be removed \
                 from a future major RabbitMQ version, regardless of the configuration; actual version to be determined.\nTo \
                 continue using this feature when it is not permitted, choose another profile.",
                feature.name()
            ))),
        }
    }

    /// How often it was used.
    pub(crate) fn count(&self, feature: DeprecatedFeature) -> u64 {
        self.0.get(feature as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_counted_by_itself() {
        let used = DeprecatedUse::default();
        used.note(DeprecatedFeature::GlobalQos, String::new);
        used.note(DeprecatedFeature::GlobalQos, || unreachable!("the log names it once"));
        used.note(DeprecatedFeature::QueueMasterLocator, String::new);
        let counts: Vec<_> = DeprecatedFeature::ALL.iter().map(|feature| used.count(*feature)).collect();
        assert_eq!(counts, [2, 0, 1]);
    }
}
