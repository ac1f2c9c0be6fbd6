//! The metrics of port 15692, as RabbitMQ's Prometheus plugin has them: names, types, labels and help, for nobody in particular,
//! unless a login is configured.
//!
//! A metric is one row of a table (`queues`, `connections`, `vhosts`, `node`, `global`), which all endpoints read: `/metrics` adds the
//! numbers of all objects up, `/metrics/per-object` and `/metrics/detailed` write one line for each. Numbers of queues are taken
//! with one short hold of each queue's lock; the text is made while it is sent (`scrape`), with nothing locked.

mod alerts;
mod asked;
mod connections;
mod family;
mod global;
mod node;
mod queues;
mod scrape;
mod text;
mod vhosts;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use tower_http::compression::CompressionLayer;

use self::asked::Asked;
use self::connections::{CHANNELS, CONNECTIONS, ChannelRow, ConnectionRow};
use self::family::{Family, MetricRow};
use self::global::{ChannelTotals, MessageTotals};
use self::node::{NODE, NodeRow};
use self::queues::{QUEUE_AGES, QUEUE_LOSSES, QUEUES, QueueRow};
use self::scrape::{PerObject, Scrape, WrittenMetrics, sums};
use self::text::Name;
use self::vhosts::{CLUSTER_EXCHANGES, EXCHANGES, ExchangeRow, LOGINS, LoginRow, VHOSTS, VhostRow};
use super::Api;
use super::handling::refused_to_monitor;
use super::target;
use crate::broker::alerts::OldestAges;
use crate::broker::vhost::Vhost;

pub(crate) use global::Highest;

/// The query of a request, decoded. A name without an equals sign has no value.
type Parameters = Vec<(String, Option<String>)>;

/// What answers a request.
#[derive(Clone, Copy)]
enum Endpoint {
    Metrics(fn(&Api, &Asked<'_>) -> Scrape),
    State(fn(&Api) -> Response),
}

/// What is below the path of the metrics.
const METRICS: &[(&str, Endpoint)] = &[
    ("", Endpoint::Metrics(|api, _| if api.paths.has_metrics_per_object { per_object(api) } else { aggregated(api) })),
    ("/per-object", Endpoint::Metrics(|api, _| per_object(api))),
    ("/detailed", Endpoint::Metrics(detailed)),
    ("/memory-breakdown", Endpoint::Metrics(|api, _| memory_breakdown(api))),
];
/// The same, wherever the metrics are.
const STATES: &[(&str, Endpoint)] =
    &[("/healthz", Endpoint::State(|_| state(StatusCode::OK, "ok"))), ("/readyz", Endpoint::State(readiness))];

impl Endpoint {
    /// Whoever looks whether the broker lives need not log in.
    const fn needs_login(self, api: &Api) -> bool {
        matches!(self, Self::Metrics(_)) && api.paths.metrics_need_login
    }

    fn answer(self, api: &Api, parameters: &Parameters) -> Response {
        match self {
            Self::State(state) => state(api),
            Self::Metrics(metrics) => match Asked::read(parameters) {
                Ok(asked) => {
                    let scrape = metrics(api, &asked);
                    asked.refusal().map_or_else(|| scraped(scrape), |reason| refused(reason.to_owned()))
                }
                Err(reason) => refused(reason),
            },
        }
    }
}

const PREFIX: &str = "rabbitmq_";
const DETAILED: &str = "rabbitmq_detailed_";
/// What RabbitMQ does not tell.
const LEVERET: &str = "leveret_";
const CLUSTER: &str = "rabbitmq_cluster_";

/// What is served there.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    let below = |(path, endpoint): &(&str, Endpoint)| (format!("{}{path}", api.paths.metrics), *endpoint);
    // At the root of the server it has no word of its own.
    let metrics =
        METRICS.iter().map(below).map(|(path, endpoint)| (if path.is_empty() { "/".into() } else { path }, endpoint));
    let states = STATES.iter().map(|(path, endpoint)| ((*path).to_owned(), *endpoint));
    // Where one would be that the metrics have taken, they go first.
    let states = states.filter(|(path, _)| *path != api.paths.metrics);
    for (path, endpoint) in metrics.chain(states) {
        let api = Arc::clone(api);
        let answer = move |Extension(peer), method: Method, headers: HeaderMap, RawQuery(query): RawQuery| {
            let api = Arc::clone(&api);
            async move {
                if endpoint.needs_login(&api)
                    && let Some(refused) = refused_to_monitor(&api, peer, &headers).await
                {
                    return refused;
                }
                allowed(&method, || match parameters(query.as_deref().unwrap_or_default()) {
                    Some(parameters) => endpoint.answer(&api, &parameters),
                    None => refused(String::new()),
                })
            }
        };
        router = router.route(&path, any(answer));
    }
    let absent = async || super::handling::respond_with(super::refusal::Refusal::absent().into());
    router.fallback(absent).layer(CompressionLayer::new())
}

/// What a query says; nothing if it cannot be read.
fn parameters(query: &str) -> Option<Parameters> {
    let read = |pair: &str| {
        let (name, value) = target::query(Some(pair))?.pop()?;
        Some((name, pair.contains('=').then_some(value)))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(read).collect()
}

fn allowed(method: &Method, answer: impl FnOnce() -> Response) -> Response {
    let mut response = match *method {
        Method::GET => answer(),
        // RabbitMQ gives nothing that would have to be counted first.
        Method::HEAD | Method::OPTIONS => Response::new(Body::empty()),
        _ => {
            let mut refused = Response::new(Body::empty());
            *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refused
        }
    };
    let methods = HeaderValue::from_static("HEAD, GET, OPTIONS");
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

fn scraped(scrape: Scrape) -> Response {
    let mut response = Response::new(Body::new(scrape));
    set_type(response.headers_mut(), text::CONTENT_TYPE);
    response
}

fn refused(reason: String) -> Response {
    let mut response = Response::new(Body::from(reason));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    set_type(response.headers_mut(), "text/plain");
    response
}

fn set_type(headers: &mut HeaderMap, content_type: &'static str) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
}

fn state(status: StatusCode, word: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{{\"status\":\"{word}\"}}")));
    *response.status_mut() = status;
    set_type(response.headers_mut(), super::answer::JSON);
    response
}

/// Whether clients can be served: not when the store has failed, after which nothing more is confirmed, nor while nobody is let in.
fn readiness(api: &Api) -> Response {
    match api.broker.node().log.durable() {
        Ok(_) if api.app.is_in_service() => state(StatusCode::OK, "ok"),
        Ok(_) | Err(_) => state(StatusCode::SERVICE_UNAVAILABLE, "failed"),
    }
}

/// The sums over all objects.
fn aggregated(api: &Api) -> Scrape {
    let now_ms = api.clock.now_ms();
    let registry = &api.broker.node().registry;
    let mut passed = MessageTotals::new(registry.retired_queues());
    let (mut queues, mut consumers, mut ages) = (0, 0, OldestAges::default());
    // What ended is one more row of each kind, with counters only.
    let retired = registry.retired_queues().passed.into_values().map(QueueRow::ended);
    let there = api.broker.vhosts().into_iter().flat_map(|vhost| queue_rows(&vhost, now_ms)).inspect(|row| {
        (queues, consumers) = (queues + 1, consumers + row.is.consumers);
        ages = ages.older(row.ages);
        passed.add(row);
    });
    let of_queues = sums(PREFIX, QUEUES, retired.chain(there), &api.highest);
    let (connections, channels) = connection_rows(api);
    let ended = ConnectionRow::ended(registry.ended_connections());
    let of_connections = sums(PREFIX, CONNECTIONS, connections.into_iter().chain([ended]), &api.highest);
    let ended = ChannelRow::ended(registry.ended_channels());
    let of_channels = sums(PREFIX, CHANNELS, channels.into_iter().chain([ended]), &api.highest);
    let mut scrape = Scrape::default();
    scrape.add(PerObject::new(PREFIX, NODE.iter().collect(), vec![NodeRow::new(api, queues, consumers)]));
    scrape.add(of_queues);
    scrape.add(WrittenMetrics(queues::oldest(ages)));
    scrape.add(of_connections);
    scrape.add(of_channels);
    scrape.add(PerObject::new(PREFIX, LOGINS.iter().collect(), logins(api)));
    about_the_node(&mut scrape, api, "aggregated", &passed);
    scrape
}

/// The same names with one sample for each object.
fn per_object(api: &Api) -> Scrape {
    let mut passed = MessageTotals::new(api.broker.node().registry.retired_queues());
    let now_ms = api.clock.now_ms();
    let queues: Vec<_> = api.broker.vhosts().iter().flat_map(|vhost| queue_rows(vhost, now_ms)).collect();
    queues.iter().for_each(|row| passed.add(row));
    let consumers = queues.iter().map(|row| row.is.consumers).sum();
    let (connections, channels) = connection_rows(api);
    let exchanges = exchange_rows(&api.broker.vhosts());
    let names: Vec<_> = EXCHANGES.iter().map(|family| family.name).collect();
    // Of exchanges there are samples for each of them.
    let of_node = NODE.iter().filter(|family| !names.contains(&family.name)).collect();
    let mut scrape = Scrape::default();
    scrape.add(PerObject::new(PREFIX, of_node, vec![NodeRow::new(api, queues.len(), consumers)]));
    let queues = Arc::new(queues);
    scrape.add(PerObject::new(PREFIX, QUEUES.iter().collect(), Arc::clone(&queues)));
    scrape.add(PerObject::new(LEVERET, QUEUE_AGES.iter().chain(QUEUE_LOSSES).collect(), queues));
    scrape.add(PerObject::new(PREFIX, CONNECTIONS.iter().collect(), connections));
    scrape.add(PerObject::new(PREFIX, CHANNELS.iter().collect(), channels));
    scrape.add(PerObject::new(PREFIX, EXCHANGES.iter().collect(), exchanges));
    scrape.add(PerObject::new(PREFIX, LOGINS.iter().collect(), logins(api)));
    about_the_node(&mut scrape, api, "per-object", &passed);
    scrape
}

fn about_the_node(scrape: &mut Scrape, api: &Api, endpoint: &str, passed: &MessageTotals) {
    let registry = &api.broker.node().registry;
    scrape.add(WrittenMetrics(global::written(registry, passed, ChannelTotals::of(registry), &api.highest)));
    scrape.add(WrittenMetrics(node::syncs(&api.io)));
    scrape.add(WrittenMetrics(node::unreadable(registry)));
    scrape.add(WrittenMetrics(node::started(api)));
    scrape.add(WrittenMetrics(alerts::active(&api.broker.node().alerts)));
    scrape.add(WrittenMetrics(identity(api, endpoint)));
}

/// The families that are asked for, of the virtual hosts and queues that are asked for.
fn detailed(api: &Api, asked: &Asked<'_>) -> Scrape {
    let groups = &asked.families;
    let mut scrape = Scrape::default();
    let all = api.broker.vhosts();
    let is_wanted = |vhost: &&Arc<Vhost>| asked.vhosts.is_empty() || asked.vhosts.contains(&&*vhost.name);
    let vhosts: Vec<_> = all.iter().filter(is_wanted).map(Arc::clone).collect();
    let of_queues = of_groups(QUEUES, groups);
    if !of_queues.is_empty() {
        let now_ms = api.clock.now_ms();
        let rows = vhosts.iter().flat_map(|vhost| queue_rows_where(vhost, now_ms, |name| asked.has_queue(name)));
        let rows: Arc<Vec<_>> = Arc::new(rows.collect());
        scrape.add(PerObject::new(DETAILED, of_queues, Arc::clone(&rows)));
        let mut own = of_groups(QUEUE_AGES, groups);
        own.append(&mut of_groups(QUEUE_LOSSES, groups));
        if !own.is_empty() {
            scrape.add(PerObject::new(LEVERET, own, rows));
        }
    }
    // As in RabbitMQ, a virtual host chooses none of these, nor of what there is in the cluster.
    let (connections, channels) = connection_rows(api);
    add(&mut scrape, DETAILED, of_groups(CONNECTIONS, groups), || connections);
    add(&mut scrape, DETAILED, of_groups(CHANNELS, groups), || channels);
    add(&mut scrape, DETAILED, of_groups(EXCHANGES, groups), || exchange_rows(&vhosts));
    add(&mut scrape, CLUSTER, of_groups(CLUSTER_EXCHANGES, groups), || {
        let mut rows = exchange_rows(&all);
        rows.retain(|row| !row.is.spec.name.is_empty());
        rows
    });
    add(&mut scrape, CLUSTER, of_groups(VHOSTS, groups), || {
        all.iter().map(|vhost| VhostRow(Arc::clone(&vhost.name))).collect()
    });
    add(&mut scrape, DETAILED, of_groups(LOGINS, groups), || logins(api));
    add(&mut scrape, DETAILED, of_groups(NODE, groups), || vec![NodeRow::new(api, 0, 0)]);
    scrape.add(WrittenMetrics(identity(api, "detailed")));
    scrape
}

/// Adds families of one kind, if any are asked for.
fn add<T: MetricRow>(
    scrape: &mut Scrape,
    prefix: &'static str,
    families: Vec<&'static Family<T>>,
    rows: impl FnOnce() -> Vec<T>,
) {
    if !families.is_empty() {
        scrape.add(PerObject::new(prefix, families, rows()));
    }
}

fn of_groups<T>(families: &'static [Family<T>], groups: &[&str]) -> Vec<&'static Family<T>> {
    families.iter().filter(|family| family.groups.iter().any(|group| groups.contains(group))).collect()
}

fn queue_rows(vhost: &Arc<Vhost>, now_ms: u64) -> impl Iterator<Item = QueueRow> + use<> {
    queue_rows_where(vhost, now_ms, |_| true)
}

/// Those whose names are wanted: the others are not locked.
fn queue_rows_where<W: Fn(&str) -> bool>(
    vhost: &Arc<Vhost>,
    now_ms: u64,
    is_wanted: W,
) -> impl Iterator<Item = QueueRow> + use<W> {
    let vhost = Arc::clone(vhost);
    vhost.queues().into_iter().filter(move |queue| is_wanted(&queue.spec.name)).filter_map(move |queue| {
        let (name, kind) = (Arc::clone(&queue.spec.name), queue.spec.arguments.kind);
        let is = queue.snapshot()?;
        let ages = vhost.node().alerts.oldest_ages(&vhost.name, queue.id, &is, now_ms);
        Some(QueueRow { vhost: Arc::clone(&vhost.name), name, kind, is, ages })
    })
}

fn connection_rows(api: &Api) -> (Vec<ConnectionRow>, Vec<ChannelRow>) {
    let (mut connections, mut channels) = (Vec::new(), Vec::new());
    for connection in api.broker.node().registry.connections() {
        connections.push(ConnectionRow::new(&connection));
        channels.extend(connection.channels().iter().map(|channel| ChannelRow::new(&connection, channel)));
    }
    (connections, channels)
}

fn exchange_rows(vhosts: &[Arc<Vhost>]) -> Vec<ExchangeRow> {
    let of = |vhost: &Arc<Vhost>| {
        let vhost_name = Arc::clone(&vhost.name);
        vhost.exchanges().into_iter().map(move |is| ExchangeRow { vhost: Arc::clone(&vhost_name), is })
    };
    vhosts.iter().flat_map(of).collect()
}

fn logins(api: &Api) -> Vec<LoginRow> {
    let registry = &api.broker.node().registry;
    let rows = [("http", registry.http_logins.read()), ("amqp091", registry.amqp_logins.read())];
    rows.into_iter().map(|(protocol, is)| LoginRow { protocol, is }).collect()
}

fn identity(api: &Api, endpoint: &str) -> String {
    let mut out = String::new();
    let mut info = |name, help, labels: &[(&str, &str)]| {
        let name = Name { prefix: PREFIX, name };
        text::head(&mut out, name, text::MetricKind::Untyped, help);
        text::sample(
            &mut out,
            name,
            |writer| labels.iter().for_each(|(name, value)| writer.add(name, value)),
            1_u64.into(),
        );
    };
    let (identity, node) = (&api.identity, api.node());
    let (cluster, cluster_id) = (super::cluster::name(api), super::cluster::id(api));
    let versions = [
        ("rabbitmq_version", &*identity.version),
        ("prometheus_plugin_version", &*identity.version),
        ("prometheus_client_version", &*identity.leveret_version),
        ("erlang_version", super::overview::ERLANG_VERSION),
    ];
    info("build_info", "RabbitMQ & Erlang/OTP version info", &versions);
    let names = [
        ("rabbitmq_node", node),
        ("rabbitmq_cluster", &*cluster),
        ("rabbitmq_cluster_permanent_id", &*cluster_id),
        ("rabbitmq_endpoint", endpoint),
    ];
    info("identity_info", "RabbitMQ node & cluster identity info", &names);
    out
}

/// What takes how much memory, as far as it is counted.
fn memory_breakdown(api: &Api) -> Scrape {
    let mut scrape = Scrape::default();
    scrape.add(WrittenMetrics(node::memory(api) + &identity(api, "memory-breakdown")));
    scrape
}
