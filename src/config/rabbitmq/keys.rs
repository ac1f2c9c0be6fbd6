//! The keys of `rabbitmq.conf`: one row each. A `*` stands for one word; a `**` at the end for any.

use super::meaning::Meaning::{self, Missing, Needless, Sets};
use super::meaning::{anonymous, bytesize, information_unit, listen, logon_type, relative, same, verify, version};

const ONE_NODE: &str = "is not needed: there is one node";
const DEAD: &str = "is not needed: it has no effect in RabbitMQ either";
const OWN: &str = "is not needed: Leveret sees to it by itself";
const NO_ERLANG: &str = "is not needed: there is no Erlang machine to set";
const NO_AMQP_1_0: &str = "AMQP 1.0 is not there yet";
const NO_LINKS: &str = "shovels and federation are not there yet";
const NO_INTERCEPTORS: &str = "messages are not changed on their way";
const NO_TRUST_STORE: &str =
    "the trust store is not there yet; tls_ca names the authorities, and a new file is noticed";
const NO_VALIDATOR: &str = "passwords are not looked at when users are made";
const PROTOCOLS: &str = "the protocol is not there yet";
const DISCOVERED: &str = "is not needed: browsers ask the issuer where it is";
const ENCRYPTED: &str = "keys with a password cannot be read; decrypt it: openssl pkey -in key.pem -out plain.pem";
const REVOKED: &str = "lists of revoked certificates are not looked at";

/// What each key means.
pub(super) const KEYS: &[(&str, Meaning)] = &[
    ("listeners.tcp.*", Sets("amqp_listen", listen)),
    ("listeners.ssl.*", Sets("amqps_listen", listen)),
    ("ssl_options.certfile", Sets("tls_cert", same)),
    ("ssl_options.keyfile", Sets("tls_key", same)),
    ("ssl_options.cacertfile", Sets("tls_ca", same)),
    ("ssl_options.verify", Sets("tls_verify", verify)),
    ("ssl_options.fail_if_no_peer_cert", Sets("tls_require_client_cert", same)),
    ("ssl_options.versions.*", Sets("tls_versions", version)),
    ("ssl_options.password", Missing(ENCRYPTED)),
    ("ssl_options.crl_check", Missing(REVOKED)),
    ("ssl_options.crl_cache.**", Missing(REVOKED)),
    ("ssl_options.**", Needless(OWN)),
    ("ssl_cert_login_from", Sets("ssl_cert_login_from", same)),
    ("ssl_cert_login_san_type", Sets("ssl_cert_login_san_type", same)),
    ("ssl_cert_login_san_index", Sets("ssl_cert_login_san_index", same)),
    ("auth_mechanisms.*", Sets("auth_mechanisms", same)),
    ("anonymous_login_user", Sets("anonymous_login", anonymous)),
    ("default_user", Sets("default_user", same)),
    ("default_pass", Sets("default_pass", same)),
    ("default_vhost", Sets("default_vhost", same)),
    ("default_permissions.configure", Sets("default_permissions_configure", same)),
    ("default_permissions.write", Sets("default_permissions_write", same)),
    ("default_permissions.read", Sets("default_permissions_read", same)),
    ("load_definitions", Sets("definitions", same)),
    ("management.load_definitions", Sets("definitions", same)),
    ("definitions.local.path", Sets("definitions", same)),
    ("definitions.skip_if_unchanged", Sets("definitions_skip_if_unchanged", same)),
    ("definitions.import_backend", Needless("is not needed: definitions are read from files")),
    ("definitions.**", Missing("definitions are read from files; set load_definitions")),
    ("heartbeat", Sets("heartbeat", same)),
    ("consumer_timeout", Sets("consumer_timeout", same)),
    ("max_message_size", Sets("max_message_size", same)),
    ("message_interceptors.**", Missing(NO_INTERCEPTORS)),
    ("channel_interceptor.**", Missing(NO_INTERCEPTORS)),
    ("vm_memory_high_watermark.relative", Sets("memory_high_watermark", relative)),
    ("vm_memory_high_watermark.absolute", Sets("memory_high_watermark", information_unit)),
    ("disk_free_limit.absolute", Sets("disk_free_limit", information_unit)),
    ("disk_free_limit.relative", Sets("disk_free_limit", relative)),
    ("log.default.level", Sets("log_level", same)),
    ("log.console", Sets("log_console", same)),
    ("log.console.level", Sets("log_console_level", same)),
    ("log.console.formatter", Sets("log_console_format", same)),
    ("log.console.**", Needless(OWN)),
    ("log.dir", Sets("log_dir", same)),
    ("log.file", Sets("log_file", same)),
    ("log.file.level", Sets("log_file_level", same)),
    ("log.file.formatter", Sets("log_file_format", same)),
    ("log.file.rotation.date", Sets("log_file_rotation_date", same)),
    ("log.file.rotation.size", Sets("log_file_rotation_size", same)),
    ("log.file.rotation.count", Sets("log_file_rotation_count", same)),
    ("log.file.rotation.compress", Sets("log_file_rotation_compress", same)),
    ("log.file.**", Needless(OWN)),
    ("log.exchange", Sets("log_exchange", same)),
    ("log.exchange.level", Sets("log_exchange_level", same)),
    ("log.exchange.formatter", Missing("lines that are published are text")),
    ("log.exchange.**", Needless(OWN)),
    ("log.syslog", Sets("log_syslog", same)),
    ("log.syslog.level", Sets("log_syslog_level", same)),
    ("log.syslog.formatter", Sets("log_syslog_format", same)),
    ("log.syslog.identity", Sets("log_syslog_identity", same)),
    ("log.syslog.facility", Sets("log_syslog_facility", same)),
    ("log.syslog.transport", Sets("log_syslog_transport", same)),
    ("log.syslog.protocol", Sets("log_syslog_protocol", same)),
    ("log.syslog.host", Sets("log_syslog_host", same)),
    ("log.syslog.ip", Sets("log_syslog_host", same)),
    ("log.syslog.port", Sets("log_syslog_port", same)),
    ("log.syslog.multiline_mode", Needless("is not needed: what is logged is one line each")),
    ("log.syslog.ssl_options.cacertfile", Sets("log_syslog_cacertfile", same)),
    ("log.syslog.ssl_options.verify", Sets("log_syslog_verify", verify)),
    ("log.syslog.ssl_options.certfile", Sets("log_syslog_certfile", same)),
    ("log.syslog.ssl_options.keyfile", Sets("log_syslog_keyfile", same)),
    ("log.syslog.ssl_options.password", Missing(ENCRYPTED)),
    ("log.syslog.ssl_options.crl_check", Missing(REVOKED)),
    ("log.syslog.ssl_options.fail_if_no_peer_cert", Needless("is not needed: a server always has a certificate")),
    (
        "log.syslog.ssl_options.**",
        Missing("of TLS to the syslog server cacertfile, certfile, keyfile and verify can be set"),
    ),
    ("log.syslog.**", Needless(OWN)),
    ("log.journald", Missing("systemd takes what goes to stderr; set log.console = true")),
    ("log.journald.**", Missing("systemd takes what goes to stderr; set log.console.level")),
    ("log.error_logger_format_depth", Needless(NO_ERLANG)),
    ("log.summarize_process_state", Needless(NO_ERLANG)),
    ("log.*.file", Missing("the log has one file, log.file; levels are log.CATEGORY.level")),
    ("log.*.rotation.**", Missing("the log has one file; set log.file.rotation")),
    ("log.**", Missing("the log goes to stderr, a file, syslog or an exchange; levels are log.CATEGORY.level")),
    ("management.load_definitions.**", Missing("set load_definitions")),
    ("management.path_prefix", Sets("http_path_prefix", same)),
    ("management.rates_mode", Needless(OWN)),
    ("management.ssl.certfile", Sets("https_cert", same)),
    ("management.ssl.keyfile", Sets("https_key", same)),
    ("management.ssl.cacertfile", Sets("https_ca", same)),
    ("management.ssl.verify", Sets("https_verify", verify)),
    ("management.ssl.fail_if_no_peer_cert", Sets("https_require_client_cert", same)),
    ("management.listener.ssl_opts.certfile", Sets("https_cert", same)),
    ("management.listener.ssl_opts.keyfile", Sets("https_key", same)),
    ("management.listener.ssl_opts.cacertfile", Sets("https_ca", same)),
    ("management.listener.ssl_opts.verify", Sets("https_verify", verify)),
    ("management.listener.ssl_opts.fail_if_no_peer_cert", Sets("https_require_client_cert", same)),
    ("management.ssl.password", Missing(ENCRYPTED)),
    ("management.ssl.**", Needless(OWN)),
    ("management.tcp.**", Needless(OWN)),
    ("management.listener.**", Needless(OWN)),
    ("prometheus.ssl.certfile", Sets("prometheus_cert", same)),
    ("prometheus.ssl.keyfile", Sets("prometheus_key", same)),
    ("prometheus.ssl.cacertfile", Sets("prometheus_ca", same)),
    ("prometheus.ssl.verify", Sets("prometheus_verify", verify)),
    ("prometheus.ssl.fail_if_no_peer_cert", Sets("prometheus_require_client_cert", same)),
    ("prometheus.ssl.password", Missing(ENCRYPTED)),
    ("prometheus.ssl.**", Needless(OWN)),
    ("prometheus.tcp.**", Needless(OWN)),
    ("prometheus.path", Sets("prometheus_path", same)),
    ("prometheus.return_per_object_metrics", Sets("prometheus_return_per_object_metrics", same)),
    ("prometheus.authentication.enabled", Sets("prometheus_authentication", same)),
    ("management.oauth_enabled", Sets("management_oauth_enabled", same)),
    ("management.oauth_disable_basic_auth", Sets("management_oauth_disable_basic_auth", same)),
    ("management.oauth_client_id", Sets("management_oauth_client_id", same)),
    ("management.oauth_client_secret", Sets("management_oauth_client_secret", same)),
    ("management.oauth_provider_url", Sets("management_oauth_provider_url", same)),
    ("management.oauth_metadata_url", Sets("management_oauth_metadata_url", same)),
    ("management.oauth_scopes", Sets("management_oauth_scopes", same)),
    ("management.oauth_initiated_logon_type", Sets("management_oauth_initiated_logon_type", logon_type)),
    ("management.oauth_response_type", Needless("is not needed: the pages ask for a code")),
    ("management.**", Missing("the management API has no such setting yet")),
    ("management_agent.**", Needless(OWN)),
    (
        "prometheus.filter_aggregated_queue_metrics_pattern",
        Needless("is not needed: it has no effect in RabbitMQ 4.3 either"),
    ),
    ("prometheus.**", Missing("it has no setting of this name yet")),
    ("frame_max", Sets("frame_max", bytesize)),
    ("channel_max", Sets("channel_max", same)),
    ("connection_max", Sets("connection_max", same)),
    ("auth_oauth2.resource_server_id", Sets("auth_oauth2_resource_server_id", same)),
    ("auth_oauth2.resource_server_type", Sets("auth_oauth2_resource_server_type", same)),
    ("auth_oauth2.scope_prefix", Sets("auth_oauth2_scope_prefix", same)),
    ("auth_oauth2.additional_scopes_key", Sets("auth_oauth2_additional_scopes_key", same)),
    ("auth_oauth2.preferred_username_claims.*", Sets("auth_oauth2_preferred_username_claims", same)),
    ("auth_oauth2.verify_aud", Sets("auth_oauth2_verify_aud", same)),
    ("auth_oauth2.require_exp", Sets("auth_oauth2_require_exp", same)),
    ("auth_oauth2.default_key", Sets("auth_oauth2_default_key", same)),
    ("auth_oauth2.algorithms.*", Sets("auth_oauth2_algorithms", same)),
    ("auth_oauth2.jwks_uri", Sets("auth_oauth2_jwks_uri", same)),
    ("auth_oauth2.jwks_url", Sets("auth_oauth2_jwks_uri", same)),
    ("auth_oauth2.issuer", Sets("auth_oauth2_issuer", same)),
    ("auth_oauth2.discovery_endpoint_path", Sets("auth_oauth2_discovery_endpoint_path", same)),
    ("auth_oauth2.https.cacertfile", Sets("auth_oauth2_https_cacertfile", same)),
    ("auth_oauth2.https.verify", Sets("auth_oauth2_https_verify", verify)),
    ("auth_oauth2.https.peer_verification", Sets("auth_oauth2_https_verify", verify)),
    ("auth_oauth2.https.**", Needless(OWN)),
    ("auth_oauth2.end_session_endpoint", Sets("auth_oauth2_end_session_endpoint", same)),
    ("auth_oauth2.default_oauth_provider", Sets("auth_oauth2_default_oauth_provider", same)),
    ("auth_oauth2.token_endpoint", Sets("auth_oauth2_token_endpoint", same)),
    ("auth_oauth2.authorization_endpoint", Needless(DISCOVERED)),
    ("auth_oauth2.oauth_providers.*.authorization_endpoint", Needless(DISCOVERED)),
    ("auth_oauth2.oauth_providers.*.https.**", Needless(OWN)),
    ("auth_oauth2.**", Missing("there is no such setting of access tokens")),
    ("auth_http.http_method", Sets("auth_http_http_method", same)),
    ("auth_http.user_path", Sets("auth_http_user_path", same)),
    ("auth_http.vhost_path", Sets("auth_http_vhost_path", same)),
    ("auth_http.resource_path", Sets("auth_http_resource_path", same)),
    ("auth_http.topic_path", Sets("auth_http_topic_path", same)),
    ("auth_http.request_timeout", Sets("auth_http_request_timeout", same)),
    ("auth_http.connection_timeout", Sets("auth_http_connection_timeout", same)),
    ("auth_http.authorization_failure_disclosure", Sets("auth_http_authorization_failure_disclosure", same)),
    ("auth_http.ssl_options.cacertfile", Sets("auth_http_cacertfile", same)),
    ("auth_http.ssl_options.verify", Sets("auth_http_verify", verify)),
    ("auth_http.ssl_options.**", Missing("of TLS to the web server cacertfile and verify can be set")),
    ("auth_ldap.servers.*", Sets("auth_ldap_servers", same)),
    ("auth_ldap.port", Sets("auth_ldap_port", same)),
    ("auth_ldap.timeout", Sets("auth_ldap_timeout", same)),
    ("auth_ldap.connection_pool_size", Sets("auth_ldap_connection_pool_size", same)),
    ("auth_ldap.use_ssl", Sets("auth_ldap_use_ssl", same)),
    ("auth_ldap.use_starttls", Sets("auth_ldap_use_starttls", same)),
    ("auth_ldap.user_dn_pattern", Sets("auth_ldap_user_dn_pattern", same)),
    ("auth_ldap.user_bind_pattern", Sets("auth_ldap_user_bind_pattern", same)),
    ("auth_ldap.dn_lookup_attribute", Sets("auth_ldap_dn_lookup_attribute", same)),
    ("auth_ldap.dn_lookup_base", Sets("auth_ldap_dn_lookup_base", same)),
    ("auth_ldap.dn_lookup_bind", Sets("auth_ldap_dn_lookup_bind", same)),
    ("auth_ldap.other_bind", Sets("auth_ldap_other_bind", same)),
    ("auth_ldap.group_lookup_base", Sets("auth_ldap_group_lookup_base", same)),
    ("auth_ldap.dn_lookup_bind.user_dn", Sets("auth_ldap_dn_lookup_bind_user_dn", same)),
    ("auth_ldap.dn_lookup_bind.password", Sets("auth_ldap_dn_lookup_bind_password", same)),
    ("auth_ldap.other_bind.user_dn", Sets("auth_ldap_other_bind_user_dn", same)),
    ("auth_ldap.other_bind.password", Sets("auth_ldap_other_bind_password", same)),
    ("auth_ldap.queries.vhost_access", Sets("auth_ldap_queries_vhost_access", same)),
    ("auth_ldap.queries.resource_access", Sets("auth_ldap_queries_resource_access", same)),
    ("auth_ldap.queries.topic_access", Sets("auth_ldap_queries_topic_access", same)),
    ("auth_ldap.queries.tags", Sets("auth_ldap_queries_tags", same)),
    ("auth_ldap.ssl_options.cacertfile", Sets("auth_ldap_cacertfile", same)),
    ("auth_ldap.ssl_options.verify", Sets("auth_ldap_verify", verify)),
    ("auth_ldap.ssl_options.certfile", Sets("auth_ldap_certfile", same)),
    ("auth_ldap.ssl_options.keyfile", Sets("auth_ldap_keyfile", same)),
    (
        "auth_ldap.ssl_options.**",
        Missing("of TLS to the directory cacertfile, certfile, keyfile and verify can be set"),
    ),
    ("auth_ldap.idle_timeout", Needless(OWN)),
    ("auth_ldap.log", Needless("is not needed: log_level = \"debug\" shows what is asked")),
    ("auth_ldap.**", Missing("the directory has no such setting")),
    ("auth_cache.cached_backend", Sets("auth_cache_cached_backend", same)),
    ("auth_cache.cache_ttl", Sets("auth_cache_cache_ttl", same)),
    ("auth_cache.cache_refusals", Sets("auth_cache_cache_refusals", same)),
    ("auth_cache.cache_module", Needless(OWN)),
    ("mqtt.**", Missing(PROTOCOLS)),
    ("stomp.**", Missing(PROTOCOLS)),
    ("stream.**", Missing(PROTOCOLS)),
    ("web_mqtt.**", Missing(PROTOCOLS)),
    ("web_stomp.**", Missing(PROTOCOLS)),
    ("cluster_name", Sets("cluster_name", same)),
    ("default_queue_type", Sets("default_queue_type", same)),
    ("default_policies.operator.*.classic_queues.**", Needless(DEAD)),
    ("default_users.**", Missing("a user has no such property")),
    ("default_limits.**", Missing("a limit has no such property")),
    ("default_policies.**", Missing("an operator policy has no such property")),
    ("cluster_formation.**", Needless(ONE_NODE)),
    ("cluster_partition_handling", Needless(ONE_NODE)),
    ("cluster_partition_handling.**", Needless(ONE_NODE)),
    ("cluster_keepalive_interval", Needless(ONE_NODE)),
    ("cluster_queue_limit", Sets("cluster_queue_limit", same)),
    ("queue_master_locator", Needless(ONE_NODE)),
    ("queue_leader_locator", Needless(ONE_NODE)),
    ("mirroring_sync_batch_size", Needless(DEAD)),
    ("net_ticktime", Needless(ONE_NODE)),
    ("distribution.**", Needless(ONE_NODE)),
    ("raft.**", Needless(ONE_NODE)),
    ("quorum_queue.**", Needless(ONE_NODE)),
    ("classic_queue.**", Needless(OWN)),
    ("hipe_compile", Needless(DEAD)),
    ("queue_index_embed_msgs_below", Needless(OWN)),
    ("vm_memory_high_watermark_paging_ratio", Needless(OWN)),
    ("vm_memory_calculation_strategy", Needless(OWN)),
    ("total_memory_available_override_value", Missing("set memory_high_watermark in bytes")),
    ("memory_monitor_interval", Needless(OWN)),
    ("disk_monitor.**", Needless(OWN)),
    ("num_acceptors.**", Needless(OWN)),
    ("tcp_listen_options.backlog", Sets("tcp_backlog", same)),
    ("tcp_listen_options.sndbuf", Sets("tcp_sndbuf", same)),
    ("tcp_listen_options.recbuf", Sets("tcp_recbuf", same)),
    ("tcp_listen_options.nodelay", Needless("is not needed: small messages are always sent at once")),
    ("tcp_listen_options.keepalive", Needless("is not needed: it is always asked whether a silent client is there")),
    ("tcp_listen_options.linger.**", Needless("is not needed: what a client is to get last is waited for")),
    ("tcp_listen_options.**", Needless(OWN)),
    ("handshake_timeout", Needless(OWN)),
    ("ssl_handshake_timeout", Needless(OWN)),
    ("reverse_dns_lookups", Needless(OWN)),
    ("collect_statistics", Needless(OWN)),
    ("collect_statistics_interval", Needless(OWN)),
    ("background_gc_enabled", Needless(OWN)),
    ("msg_store_file_size_limit", Needless(OWN)),
    ("socket_writer.**", Needless(OWN)),
    ("erlang.**", Needless(DEAD)),
    ("deprecated_features.**", Missing("compatibility = \"4.2\" or \"4.3\" says what of it is permitted")),
    ("password_hashing_module", Sets("password_hashing", same)),
    ("proxy_protocol", Sets("proxy_protocol", same)),
    ("product.**", Needless(OWN)),
    ("listeners.startup_delay", Needless(OWN)),
    ("initial_frame_max", Needless(OWN)),
    ("max_channels_per_connection", Sets("channel_max", same)),
    ("channel_max_per_node", Sets("channel_max_per_node", same)),
    ("consumer_max_per_channel", Sets("consumer_max_per_channel", same)),
    ("channel_tx_message_max", Missing("transactions are bounded by memory")),
    ("session_max_per_connection", Missing(NO_AMQP_1_0)),
    ("link_max_per_session", Missing(NO_AMQP_1_0)),
    ("max_connections", Missing("how many connections there may be follows from the limit of open files")),
    ("ranch_connection_max", Missing("how many connections there may be follows from the limit of open files")),
    ("vhost_max", Sets("vhost_max", same)),
    ("cluster_exchange_limit", Sets("cluster_exchange_limit", same)),
    ("runtime_parameters.limits.**", Missing("there may be any number of parameters that the memory allows")),
    ("credential_validator.**", Missing(NO_VALIDATOR)),
    ("credentials_obfuscation.**", Needless(OWN)),
    ("anonymous_login_pass", Needless("is not needed: guest is let in without a password")),
    ("consumer_disconnected_timeout", Needless(ONE_NODE)),
    ("prevent_startup_if_node_was_reset", Missing("a start with an empty data directory begins anew")),
    ("exchange_types.**", Missing("all types of exchanges are there")),
    ("queue_types.**", Missing("classic and quorum queues are there")),
    ("cluster_tags.**", Missing("a tag has a name: cluster_tags.NAME = VALUE")),
    ("node_tags.*", Missing("a node has no tags")),
    ("event_exchange.vhost", Missing("events are told in the default virtual host")),
    ("event_exchange.protocol", Needless("is not needed: events are told in AMQP 0-9-1")),
    ("tracing.**", Missing("traces are published to amq.rabbitmq.trace; no files are written")),
    ("trust_store.**", Missing(NO_TRUST_STORE)),
    ("http_dispatch.auth_backends.**", Missing("the management API asks auth_backends, as AMQP does")),
    ("http_dispatch.access_log_dir", Missing("requests are no lines of a file; log_level = \"debug\" shows them")),
    ("shovel.**", Missing(NO_LINKS)),
    ("federation.**", Missing(NO_LINKS)),
    ("amqp_client.**", Missing(NO_LINKS)),
    ("amqp10_client.**", Missing(NO_LINKS)),
    ("aws.**", Needless(ONE_NODE)),
    ("motd_file", Needless("is not needed: the first lines on the terminal are Leveret's")),
    ("metadata_store.**", Needless(ONE_NODE)),
    ("mnesia_table_loading_retry_timeout", Needless(ONE_NODE)),
    ("mnesia_table_loading_retry_limit", Needless(ONE_NODE)),
    ("mirroring_sync_max_throughput", Needless(DEAD)),
    ("message_store_shutdown_timeout", Needless(OWN)),
    ("vhost_restart_strategy", Needless(OWN)),
    ("ssl_allow_poodle_attack", Needless("is not needed: SSL 3.0 is not spoken")),
    ("delegate_count", Needless(NO_ERLANG)),
    ("default_worker_pool_size", Needless(NO_ERLANG)),
    ("background_gc_target_interval", Needless(NO_ERLANG)),
    ("sysmon_handler.**", Needless(NO_ERLANG)),
];

/// What a key means.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    KEYS.iter().find(|(pattern, _)| matches(pattern, key)).map(|(_, meaning)| *meaning)
}

/// Whether a key is one of this pattern: `*` is a word, `**` any number of them.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let mut words = key.split('.');
    for expected in pattern.split('.') {
        match (expected, words.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (expected, Some(word)) if expected == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting::Setting;

    #[test]
    fn each_row_names_a_setting_that_there_is() {
        for (key, meaning) in KEYS {
            if let Sets(setting, _) = meaning {
                assert!(Setting::find(setting).is_some(), "{key}: {setting}");
            }
        }
    }

    /// The keys that RabbitMQ 4.3 and its plugins know, with 1 for each word that is free.
    const OF_RABBITMQ: &str = include_str!("keys.txt");

    #[test]
    fn every_key_of_rabbitmq_has_a_meaning() {
        // Others look at these before they come to the table.
        let elsewhere = [
            "listeners.tcp",
            "listeners.ssl",
            "loopback_users",
            "auth_backends",
            "default_user_tags",
            "auth_cache.cached_backend.",
        ];
        let is_elsewhere = |key: &str| elsewhere.iter().any(|word| key.starts_with(word));
        let is_level = |key: &str| key.starts_with("log.") && key.ends_with(".level");
        let unknown: Vec<_> = OF_RABBITMQ.lines().filter(|key| meaning(key).is_none()).collect();
        let unknown: Vec<_> = unknown.into_iter().filter(|key| !is_elsewhere(key) && !is_level(key)).collect();
        assert_eq!(unknown, [""; 0]);
    }

    #[test]
    fn patterns_stand_for_words() {
        assert!(matches("listeners.tcp.*", "listeners.tcp.default") && !matches("listeners.tcp.*", "listeners.tcp"));
        assert!(matches("mqtt.**", "mqtt.a.b") && !matches("mqtt.**", "mqtt") && !matches("a", "a.b"));
    }
}
