//! What is only read.

use amqprs::channel::{BasicConsumeArguments, BasicQosArguments, QueueDeclareArguments};
use amqprs::consumer::DefaultConsumer;
use rabbitmq_http_client::commons::{PaginationParams, SupportedProtocol};
use rabbitmq_http_client::requests::QueueParams;
use rabbitmq_http_client::responses::ReachabilityProbeOutcome;
use serde_json::json;

use crate::check;
use crate::harness::{Outcome, Stage, equal, until};

pub fn overview_and_nodes(s: &Stage) -> Outcome {
    let overview = s.api.overview()?;
    check!(overview.rabbitmq_version.split('.').count() == 3, "version {}", overview.rabbitmq_version);
    equal("version", s.api.server_version()?, overview.rabbitmq_version)?;
    let nodes = s.api.list_nodes()?;
    equal("nodes", nodes.len(), 1)?;
    let node = s.api.get_node_info(&overview.node)?;
    equal("node", &node.name, &nodes[0].name)?;
    check!(node.processors > 0 && !node.has_memory_alarm_in_effect, "{node:?}");
    s.api.get_node_memory_footprint(&overview.node)?;
    s.api.list_all_cluster_plugins()?;
    s.api.list_node_plugins(&overview.node)?;
    s.api.get_cluster_name()?;
    s.api.auth_attempts_statistics(&overview.node)?;
    let flags = s.api.list_feature_flags()?;
    check!(flags.0.iter().any(|flag| flag.name == "quorum_queue"), "{flags:?}");
    s.api.list_all_deprecated_features()?;
    s.api.list_deprecated_features_in_use()?;
    equal("who I am", s.api.current_user()?.name, s.user.as_str())
}

pub fn health(s: &Stage) -> Outcome {
    s.api.health_check_cluster_wide_alarms()?;
    s.api.health_check_local_alarms()?;
    s.api.health_check_if_node_is_quorum_critical()?;
    s.api.health_check_protocol_listener(SupportedProtocol::AMQP)?;
    check!(s.api.health_check_port_listener(1).is_err(), "nothing listens on port 1");
    match s.api.probe_reachability() {
        ReachabilityProbeOutcome::Reached(_) => Ok(()),
        other => Err(format!("it can be reached: {other:?}").into()),
    }
}

pub fn connections_channels_consumers(s: &Stage) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let connection = s.connect().await?;
        let channel = connection.open_channel(None).await?;
        channel.queue_declare(QueueDeclareArguments::durable_client_named("consumed")).await?;
        channel.basic_qos(BasicQosArguments::new(0, 7, false)).await?;
        channel.basic_consume(DefaultConsumer::new(false), BasicConsumeArguments::new("consumed", "the tag")).await?;
        tokio::task::block_in_place(|| seen_and_closed(s))?;
        until("the client knows that it is closed", || Ok(!connection.is_open()))
    })
}

fn seen_and_closed(s: &Stage) -> Outcome {
    until("the connection is listed", || Ok(s.api.list_connections_in(&s.vhost)?.len() == 1))?;
    let name = s.api.list_connections_in(&s.vhost)?.remove(0).name;
    check!(s.api.list_connections()?.iter().any(|each| each.name == name), "it is among all");
    check!(s.api.list_user_connections(&s.user)?.iter().any(|each| each.name == name), "it is among the user's");
    equal("its user", s.api.get_connection_info(&name)?.username, s.user.as_str())?;

    until("the channel is listed", || Ok(s.api.list_channels_in(&s.vhost)?.len() == 1))?;
    s.api.list_channels()?;
    let channel = s.api.list_channels_on(&name)?.remove(0);
    until("its consumer is counted", || Ok(s.api.get_channel_info(&channel.name)?.consumer_count == 1))?;
    until("the consumer is listed", || Ok(s.api.list_consumers_in(&s.vhost)?.len() == 1))?;
    s.api.list_consumers()?;
    let consumer = s.api.list_consumers_in(&s.vhost)?.remove(0);
    equal("tag", consumer.consumer_tag, "the tag")?;
    equal("prefetch count", consumer.prefetch_count, 7)?;
    equal("queue", consumer.queue.name, "consumed")?;

    s.api.close_connection(&name, Some("for a story"), false)?;
    until("it is gone", || Ok(s.api.list_connections_in(&s.vhost)?.is_empty()))
}

/// What rabbitmqadmin lists and no other story reads.
pub fn every_list(s: &Stage) -> Outcome {
    s.api.declare_quorum_queue(&s.vhost, "quorum")?;
    s.api.declare_classic_queue(&s.vhost, "classic")?;
    let names = |queues: Vec<rabbitmq_http_client::responses::QueueInfo>| {
        queues.into_iter().map(|queue| queue.name).collect::<Vec<_>>()
    };
    equal("quorum queues", names(s.api.list_quorum_queues_in(&s.vhost)?), ["quorum"])?;
    equal("classic queues", names(s.api.list_classic_queues_in(&s.vhost)?), ["classic"])?;
    equal("streams", s.api.list_streams_in(&s.vhost)?.len(), 0)?;
    s.api.list_queues()?;
    s.api.list_queues_with_details()?;
    s.api.list_exchanges()?;
    s.api.list_bindings()?;
    s.api.list_vhosts()?;
    s.api.list_users()?;
    s.api.list_users_without_permissions()?;
    s.api.list_permissions()?;
    s.api.list_topic_permissions()?;
    s.api.list_policies()?;
    s.api.list_operator_policies()?;
    s.api.list_runtime_parameters()?;
    s.api.list_global_runtime_parameters()?;
    s.api.list_all_user_limits()?;
    s.api.list_all_vhost_limits()?;
    s.api.rebalance_queue_leaders()?;
    Ok(())
}

pub fn pages(s: &Stage) -> Outcome {
    for n in 0..25 {
        let name = format!("q-{n}");
        let arguments = json!({ "x-max-length": n }).as_object().cloned();
        s.api.declare_queue(&s.vhost, &QueueParams::new_durable_classic_queue(&name, arguments))?;
    }
    let mut names = Vec::new();
    for page in 1..=3 {
        let queues = s.api.list_queues_in_paged(&s.vhost, &PaginationParams::new(page, 10))?;
        names.extend(queues.into_iter().map(|queue| queue.name));
    }
    names.sort();
    names.dedup();
    equal("queues of three pages", names.len(), 25)
}
