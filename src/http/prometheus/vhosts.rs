//! What is told of each exchange and each virtual host.

use std::sync::Arc;

use super::family::{Family, MetricRow, counter, gauge, unknown};
use super::text::{Labels, MetricKind, Number};
use crate::broker::topology::ExchangeSnapshot;

/// An exchange as it was at one moment.
#[derive(Debug)]
pub(super) struct ExchangeRow {
    pub(super) vhost: Arc<str>,
    pub(super) is: ExchangeSnapshot,
}

impl MetricRow for ExchangeRow {
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("vhost", &self.vhost);
        labels.add("exchange", &self.is.spec.name);
    }
}

fn with_kind(exchange: &ExchangeRow, labels: &mut Labels<'_>) {
    exchange.labels(labels);
    labels.add("type", exchange.is.spec.kind.name);
}

/// What passed through each exchange. RabbitMQ also knows of each exchange what was confirmed and what was unroutable.
pub(super) const EXCHANGES: &[Family<ExchangeRow>] = &[
    counter(
        "exchange_messages_published_total",
        &["exchange_metrics"],
        "Total number of messages published into an exchange",
        |exchange| exchange.is.stats.publish_in.into(),
    ),
    unknown(
        MetricKind::Counter,
        "exchange_messages_confirmed_total",
        &["exchange_metrics"],
        "Total number of messages published into an exchange and confirmed",
    ),
    unknown(
        MetricKind::Counter,
        "exchange_messages_unroutable_returned_total",
        &["exchange_metrics"],
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
    ),
    unknown(
        MetricKind::Counter,
        "exchange_messages_unroutable_dropped_total",
        &["exchange_metrics"],
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
    ),
];

/// Which exchanges there are.
pub(super) const CLUSTER_EXCHANGES: &[Family<ExchangeRow>] = &[
    gauge(
        "exchange_bindings",
        &["exchange_bindings"],
        "Number of bindings for an exchange. This value is cluster-wide.",
        |exchange: &ExchangeRow| exchange.is.bindings.into(),
    )
    .labelled(with_kind),
    gauge(
        "exchange_name",
        &["exchange_names"],
        "Enumerates exchanges without any additional info. This value is cluster-wide. \
         A cheaper alternative to `exchange_bindings`",
        |_| Number::Count(1),
    )
    .labelled(with_kind),
];

#[derive(Debug)]
pub(super) struct VhostRow(pub(super) Arc<str>);

impl MetricRow for VhostRow {
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("vhost", &self.0);
    }
}

/// Of each virtual host.
pub(super) const VHOSTS: &[Family<VhostRow>] =
    &[gauge("vhost_status", &["vhost_status"], "Whether a given vhost is running", |_| Number::Count(1))];

/// How many tried to log in, by protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginRow {
    pub(super) protocol: &'static str,
    pub(super) is: crate::metrics::LoginStats,
}

impl MetricRow for LoginRow {
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("protocol", self.protocol);
    }
}

/// Of each protocol. They are never summed up.
pub(super) const LOGINS: &[Family<LoginRow>] = &[
    counter("auth_attempts_total", &["auth_attempt_metrics"], "Total number of authentication attempts", |login| {
        Number::Count(login.is.auth_attempts_succeeded + login.is.auth_attempts_failed)
    }),
    counter(
        "auth_attempts_succeeded_total",
        &["auth_attempt_metrics"],
        "Total number of successful authentication attempts",
        |login| login.is.auth_attempts_succeeded.into(),
    ),
    counter(
        "auth_attempts_failed_total",
        &["auth_attempt_metrics"],
        "Total number of failed authentication attempts",
        |login| login.is.auth_attempts_failed.into(),
    ),
];
