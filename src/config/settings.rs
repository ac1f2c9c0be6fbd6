//! Every setting, once: what it does, its name, its type, what holds when nothing is given. Flags, variables, keys of files, the help and
//! docs/configuration.md come from these rows. A new setting is one row, and its place in `server/builder.rs`.

use std::path::PathBuf;

use super::setting::{ReloadRule, Setting, settings};
use super::value::{
    Algorithm, AskWith, AuthBackend, Backlog, CategoryLevel, Ceiling, CertificatePart, ChannelMax, DirectoryQuery,
    Expression, FileBytes, FileCount, FrameMax, HttpUrl, Index, LimitProperties, Listen, LogFileName, LogFilter,
    LogFormat, LogLevel, MessageBytes, Named, PolicyProperties, PortNumber, RotationDate, Seconds, Secret,
    SettingValue, Share, SyslogFacility, SyslogIdentity, SyslogProtocol, SyslogTransport, SystemGroup, TagQueries,
    Timeout, UrlPath, UserProperties, VhostDefault, WebAddress,
};
use crate::auth::{ADMINISTRATOR, GUEST, HashingAlgorithm};
use crate::broker::node::MESSAGE_BYTES_MAX_DEFAULT;
use crate::broker::profile::Compatibility;
use crate::broker::queue::arguments::QueueKind;
use crate::protocol::sasl::Mechanism;
use crate::tls::{HostCertificate, SanType, TlsVersion, Verify};

/// Below so many bytes of free disk space publishers wait, unless told otherwise. RabbitMQ's 50 MB are less than what is
/// written in the second that it takes to notice.
pub(crate) const DISK_FREE_LIMIT_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

settings! {
    /// Listen for AMQP here; port 0 takes a free one
    amqp_listen: Vec<Listen> = Vec::new(), "localhost:5672", AtStart;
    /// How many clients may wait to be let in, on each address
    tcp_backlog: Backlog = Backlog(1024), "1024", AtStart;
    /// How much the system keeps of what is to be sent to a client
    tcp_sndbuf: Option<FileBytes> = None, "what the system chooses", AtStart;
    /// How much the system keeps of what a client has sent
    tcp_recbuf: Option<FileBytes> = None, "what the system chooses", AtStart;
    /// Clients of AMQP come through proxies that say first for whom they connect: the PROXY protocol, version 1 or 2
    proxy_protocol: bool = false, "false", AtStart;
    /// Listen for AMQP with TLS only
    no_amqp: bool = false, "false", AtStart;
    /// Where no place is named, listen for all machines on RabbitMQ's ports, and not for this one alone
    listen_everywhere: bool = false, "false", AtStart;
    /// Serve the management HTTP API here; port 0 takes a free one
    http_listen: Vec<Listen> = Vec::new(), "10000 ports above AMQP: localhost:15672; none with https_listen", AtStart;
    /// Serve it, and its pages, below this path, as behind a proxy that has other things beside it
    http_path_prefix: UrlPath = UrlPath::default(), "/", AtStart;
    /// Serve no management HTTP API
    no_http: bool = false, "false", AtStart;
    /// Serve metrics for Prometheus here; port 0 takes a free one
    prometheus_listen: Vec<Listen> = Vec::new(), "10020 ports above AMQP: localhost:15692; none with prometheus_tls_listen", AtStart;
    /// The path of the metrics
    prometheus_path: UrlPath = UrlPath::metrics(), "/metrics", AtStart;
    /// Tell there of each queue, connection and channel, as PATH/per-object does, instead of their sums
    prometheus_return_per_object_metrics: bool = false, "false", AtStart;
    /// Tell metrics only to users with the tag monitoring or administrator
    prometheus_authentication: bool = false, "false", AtStart;
    /// Serve no metrics for Prometheus
    no_prometheus: bool = false, "false", AtStart;

    /// Keep durable queues and persistent messages in this directory
    data_dir: Option<PathBuf> = None, "leveret in the platform's directory for data: $XDG_DATA_HOME, ~/.local/share", AtStart;
    /// Keep everything in memory: nothing survives a stop
    in_memory: bool = false, "false", AtStart;
    /// Go on without what cannot be read of a damaged data directory, and report what that is
    salvage: bool = false, "false", AtStart;

    /// Block publishers when less than this is free on the disk
    disk_free_limit: Share = Share::Bytes(DISK_FREE_LIMIT_BYTES_DEFAULT), "256MiB", AtRunTime;
    /// Block publishers when messages take more memory than this
    memory_high_watermark: Share = Share::Permille(600), "60%", AtRunTime;
    /// Refuse message bodies larger than this
    max_message_size: MessageBytes = MessageBytes(MESSAGE_BYTES_MAX_DEFAULT), "16MiB", AtRunTime;

    /// Which RabbitMQ to be like: 4.2 accepts what 4.3 denies, and warns; 3.13 is for clients of before 4.0
    compatibility: Compatibility = Compatibility::V4_2, "4.2", AtStart;
    /// Close channels, as RabbitMQ does, whose deliveries are not acknowledged within this time
    consumer_timeout: Timeout = Timeout(Some(1_800_000)), "30m", AtRunTime;
    /// Wait for acknowledgements as long as it takes where a queue does not say how long: consumer_timeout = "off"
    no_consumer_timeout: bool = false, "false", AtRunTime;
    /// The type of queues that name none, in virtual hosts that are made from now on and name none either
    default_queue_type: QueueKind = QueueKind::Classic, "classic", AtStart;
    /// How passwords of new users are hashed
    password_hashing: HashingAlgorithm = HashingAlgorithm::Sha256, "sha256", AtStart;
    /// How many channels a connection may have; 0 for as many as there are numbers
    channel_max: ChannelMax = ChannelMax::default(), "2047", AtStart;
    /// How many bytes a frame may have; 0 for as many as it can be
    frame_max: FrameMax = FrameMax::default(), "131072", AtStart;
    /// How many connections may be open at a time
    connection_max: Ceiling = Ceiling(None), "infinity", AtStart;
    /// How many channels may be open at a time, of all connections together
    channel_max_per_node: Ceiling = Ceiling(None), "infinity", AtStart;
    /// How many consumers a channel may have
    consumer_max_per_channel: Ceiling = Ceiling(None), "infinity", AtStart;
    /// How many virtual hosts there may be
    vhost_max: Ceiling = Ceiling(None), "infinity", AtStart;
    /// How many queues all virtual hosts may have together
    cluster_queue_limit: Ceiling = Ceiling(None), "infinity", AtStart;
    /// How many exchanges all virtual hosts may have together, with those that each has from the beginning
    cluster_exchange_limit: Ceiling = Ceiling(None), "infinity", AtStart;
    /// What the cluster of this one node is called; each start says so anew
    cluster_name: Option<String> = None, "the name of the node", AtStart;
    /// What else is told of the cluster: NAME=VALUE; each start says so anew
    cluster_tags: Vec<Named> = Vec::new(), "none", AtStart;
    /// Offer clients heartbeats in this interval
    heartbeat: Seconds = Seconds(60), "60s", AtRunTime;

    /// The user that a new broker has; guest, if nothing is said here and no definitions bring users
    default_user: Option<String> = None, "guest", AtStart;
    /// A file that holds the name of that user
    default_user_file: Option<PathBuf> = None, "none", AtStart;
    /// Its password
    default_pass: Option<Secret> = None, "guest", AtStart;
    /// A file that holds its password
    default_pass_file: Option<PathBuf> = None, "none", AtStart;
    /// Its tags; none for no tag
    default_user_tags: Vec<String> = vec![ADMINISTRATOR.to_owned()], "administrator", AtStart;
    /// What it may declare and delete, as a regular expression for names
    default_permissions_configure: Expression = Expression::anything(), ".*", AtStart;
    /// What it may publish to and bind
    default_permissions_write: Expression = Expression::anything(), ".*", AtStart;
    /// What it may consume and bind from
    default_permissions_read: Expression = Expression::anything(), ".*", AtStart;
    /// The virtual host that a new broker has
    default_vhost: Option<String> = None, "/", AtStart;
    /// Users that virtual hosts come with: NAME.KEY=VALUE, with the keys of RabbitMQ's default_users
    default_users: Vec<VhostDefault<UserProperties>> = Vec::new(), "none", AtStart;
    /// Operator policies that they come with, with the keys of RabbitMQ's default_policies.operator
    default_policies_operator: Vec<VhostDefault<PolicyProperties>> = Vec::new(), "none", AtStart;
    /// Their limits, with the keys of RabbitMQ's default_limits.vhosts: the first name counts whose pattern fits
    default_limits_vhosts: Vec<VhostDefault<LimitProperties>> = Vec::new(), "none", AtStart;
    /// Users who may only log in from the machine of the broker; none for nobody
    loopback_users: Vec<String> = vec![GUEST.to_owned()], "guest", AtStart;

    /// Import definitions at each start: a file, or a directory whose *.json files are read in the order of their names
    definitions: Vec<PathBuf> = Vec::new(), "none", AtStart;
    /// Do not import definitions again that have not changed since the last start
    definitions_skip_if_unchanged: bool = false, "false", AtStart;
    /// As RabbitMQ does: where definitions are imported, make no default user and no default virtual host
    definitions_only: bool = false, "false", AtStart;

    /// Let clients in without credentials, as guest
    anonymous_login: bool = false, "false", AtStart;
    /// Let guest log in from other machines, too
    guest_from_anywhere: bool = false, "false", AtStart;

    /// Listen for AMQP with TLS here; RabbitMQ's port is 5671
    amqps_listen: Vec<Listen> = Vec::new(), "none", AtStart;
    /// The certificate to show to clients, and those that lead to its authority, in PEM; a new file is noticed
    tls_cert: Option<PathBuf> = None, "none", AtStart;
    /// The key of the certificate, in PEM
    tls_key: Option<PathBuf> = None, "none", AtStart;
    /// The authorities that clients' certificates may come from, in PEM
    tls_ca: Option<PathBuf> = None, "none", AtStart;
    /// Whether clients are asked for a certificate, which then must be of one of the authorities
    tls_verify: Verify = Verify::None, "none", AtStart;
    /// Refuse clients without a certificate, with tls_verify = "peer"
    tls_require_client_cert: bool = false, "false", AtStart;
    /// The versions of TLS to speak
    tls_versions: Vec<TlsVersion> = vec![TlsVersion::V1_3, TlsVersion::V1_2], "1.3,1.2", AtStart;
    /// Certificates for clients that ask for other hosts by name (SNI): a.example.com=/a/cert.pem:/a/key.pem; a * stands for one word
    tls_hosts: Vec<HostCertificate> = Vec::new(), "none", AtStart;
    /// Serve the management HTTP API with TLS here; RabbitMQ's port is 15671
    https_listen: Vec<Listen> = Vec::new(), "none", AtStart;
    /// The certificate for HTTPS, in PEM
    https_cert: Option<PathBuf> = None, "tls_cert", AtStart;
    /// The key of the certificate for HTTPS, in PEM
    https_key: Option<PathBuf> = None, "tls_key", AtStart;
    /// The authorities that certificates of HTTPS clients may come from, in PEM
    https_ca: Option<PathBuf> = None, "tls_ca", AtStart;
    /// Whether HTTPS clients are asked for a certificate
    https_verify: Verify = Verify::None, "none", AtStart;
    /// Refuse HTTPS clients without a certificate, with https_verify = "peer"
    https_require_client_cert: bool = false, "false", AtStart;
    /// Serve metrics for Prometheus with TLS here; RabbitMQ's port is 15691
    prometheus_tls_listen: Vec<Listen> = Vec::new(), "none", AtStart;
    /// The certificate for metrics, in PEM
    prometheus_cert: Option<PathBuf> = None, "tls_cert", AtStart;
    /// The key of the certificate for metrics, in PEM
    prometheus_key: Option<PathBuf> = None, "tls_key", AtStart;
    /// The authorities that certificates of those who read metrics may come from, in PEM
    prometheus_ca: Option<PathBuf> = None, "tls_ca", AtStart;
    /// Whether those who read metrics are asked for a certificate
    prometheus_verify: Verify = Verify::None, "none", AtStart;
    /// Refuse those without a certificate, with prometheus_verify = "peer"
    prometheus_require_client_cert: bool = false, "false", AtStart;
    /// How clients may log in; EXTERNAL is by their certificate
    auth_mechanisms: Vec<Mechanism> = Vec::new(), "PLAIN,AMQPLAIN, and ANONYMOUS with anonymous_login", AtStart;
    /// What of a client's certificate names the user, for EXTERNAL
    ssl_cert_login_from: CertificatePart = CertificatePart::Subject, "distinguished_name", AtStart;
    /// Which kind of subject alternative name it is
    ssl_cert_login_san_type: SanType = SanType::Dns, "dns", AtStart;
    /// Which one of that kind, from 0
    ssl_cert_login_san_index: Index = Index(0), "0", AtStart;

    /// Who knows users, and in which order they are asked
    auth_backends: Vec<AuthBackend> = vec![AuthBackend::INTERNAL], "internal", AtStart;
    /// The name of this broker in access tokens: their audience
    auth_oauth2_resource_server_id: Option<String> = None, "none", AtStart;
    /// The type of this broker in rich authorization requests
    auth_oauth2_resource_server_type: Option<String> = None, "none", AtStart;
    /// What scopes for this broker begin with
    auth_oauth2_scope_prefix: Option<String> = None, "auth_oauth2_resource_server_id and a dot", AtStart;
    /// More claims that hold scopes, with blanks between them; a dot leads into a claim
    auth_oauth2_additional_scopes_key: Option<String> = None, "none", AtStart;
    /// Names of scopes, and the scopes that each stands for, with blanks between them: ALIAS=SCOPES
    auth_oauth2_scope_aliases: Vec<Named> = Vec::new(), "none", AtStart;
    /// The claims that name the user; the first that is there counts
    auth_oauth2_preferred_username_claims: Vec<String> = vec!["sub".to_owned(), "client_id".to_owned()], "sub,client_id", AtStart;
    /// Refuse tokens that are for somebody else
    auth_oauth2_verify_aud: bool = true, "true", AtStart;
    /// Refuse tokens that never end
    auth_oauth2_require_exp: bool = true, "true", AtStart;
    /// Public keys that tokens are signed with: NAME=FILE, in PEM
    auth_oauth2_signing_keys: Vec<Named> = Vec::new(), "none", AtStart;
    /// The name of the key of tokens that name none
    auth_oauth2_default_key: Option<String> = None, "none", AtStart;
    /// How tokens may be signed
    auth_oauth2_algorithms: Vec<Algorithm> = Vec::new(), "all that are known", AtStart;
    /// Where the keys are (JWKS)
    auth_oauth2_jwks_uri: Option<WebAddress> = None, "what the issuer says", AtStart;
    /// Who issues tokens, and says where the keys are (OpenID Connect discovery)
    auth_oauth2_issuer: Option<WebAddress> = None, "none", AtStart;
    /// Where, below the address of the issuer, it says that
    auth_oauth2_discovery_endpoint_path: Option<String> = None, ".well-known/openid-configuration", AtStart;
    /// The authorities that the certificate of the issuer may come from, in PEM
    auth_oauth2_https_cacertfile: Option<PathBuf> = None, "those of the system", AtStart;
    /// Whether the certificate of the issuer is looked at
    auth_oauth2_https_verify: Verify = Verify::Peer, "peer", AtStart;
    /// Where tokens are asked for; only needed where it is at another host than the issuer, to which the pages may not connect else
    auth_oauth2_token_endpoint: Option<WebAddress> = None, "what the issuer says", AtStart;
    /// Where users end their session with the issuer
    auth_oauth2_end_session_endpoint: Option<WebAddress> = None, "none", AtStart;
    /// More names of this broker in access tokens: NAME.KEY=VALUE, with the keys of RabbitMQ's auth_oauth2.resource_servers
    auth_oauth2_resource_servers: Vec<Named> = Vec::new(), "none", AtStart;
    /// More issuers of tokens: NAME.KEY=VALUE, with the keys of RabbitMQ's auth_oauth2.oauth_providers
    auth_oauth2_oauth_providers: Vec<Named> = Vec::new(), "none", AtStart;
    /// Which of them issues tokens where none is named
    auth_oauth2_default_oauth_provider: Option<String> = None, "the one of auth_oauth2_issuer", AtStart;
    /// Have users of the pages log in with an access token
    management_oauth_enabled: bool = false, "false", AtStart;
    /// Take no passwords over HTTP then, and have the pages ask for none
    management_oauth_disable_basic_auth: bool = true, "true", AtStart;
    /// What the pages are to whoever issues tokens
    management_oauth_client_id: Option<String> = None, "none", AtStart;
    /// Their password there; each browser is told it
    management_oauth_client_secret: Option<Secret> = None, "none", AtStart;
    /// Where the pages send users to log in
    management_oauth_provider_url: Option<WebAddress> = None, "auth_oauth2_issuer", AtStart;
    /// Where the pages find out what is where there
    management_oauth_metadata_url: Option<WebAddress> = None, "what is below that address", AtStart;
    /// Which scopes the pages ask for, with blanks between them
    management_oauth_scopes: Option<String> = None, "openid profile", AtStart;
    /// Who begins a login: sp_initiated for the pages, idp_initiated for whoever issues tokens
    management_oauth_initiated_logon_type: Option<String> = None, "sp_initiated", AtStart;
    /// What the pages add when they ask for a login: NAME=VALUE
    management_oauth_authorization_endpoint_params: Vec<Named> = Vec::new(), "none", AtStart;
    /// What the pages add when they ask for a token: NAME=VALUE
    management_oauth_token_endpoint_params: Vec<Named> = Vec::new(), "none", AtStart;
    /// The same for single resource servers: NAME.KEY=VALUE, with the keys of RabbitMQ's management.oauth_resource_servers
    management_oauth_resource_servers: Vec<Named> = Vec::new(), "none", AtStart;
    /// How the web server is asked that knows users
    auth_http_http_method: AskWith = AskWith::Get, "get", AtStart;
    /// Where it is asked who somebody is
    auth_http_user_path: WebAddress = WebAddress("http://localhost:8000/auth/user".to_owned()), "http://localhost:8000/auth/user", AtStart;
    /// Where it is asked whether a user may enter a virtual host
    auth_http_vhost_path: WebAddress = WebAddress("http://localhost:8000/auth/vhost".to_owned()), "http://localhost:8000/auth/vhost", AtStart;
    /// Where it is asked what a user may do with an exchange or a queue
    auth_http_resource_path: WebAddress = WebAddress("http://localhost:8000/auth/resource".to_owned()), "http://localhost:8000/auth/resource", AtStart;
    /// Where it is asked whether a user may use a routing key
    auth_http_topic_path: WebAddress = WebAddress("http://localhost:8000/auth/topic".to_owned()), "http://localhost:8000/auth/topic", AtStart;
    /// How long it may take
    auth_http_request_timeout: Timeout = Timeout(Some(15_000)), "15s", AtStart;
    /// How long it may take to connect to it
    auth_http_connection_timeout: Timeout = Timeout(Some(15_000)), "15s", AtStart;
    /// Tell clients why it refuses them
    auth_http_authorization_failure_disclosure: bool = false, "false", AtStart;
    /// The authorities that its certificate may come from, in PEM
    auth_http_cacertfile: Option<PathBuf> = None, "those of the system", AtStart;
    /// Whether its certificate is looked at
    auth_http_verify: Verify = Verify::Peer, "peer", AtStart;
    /// Directories that know users, in the order in which they are asked
    auth_ldap_servers: Vec<String> = Vec::new(), "none", AtStart;
    /// Their port
    auth_ldap_port: PortNumber = PortNumber(389), "389", AtStart;
    /// How long they may take
    auth_ldap_timeout: Timeout = Timeout(Some(15_000)), "15s", AtStart;
    /// How many questions they are asked at a time
    auth_ldap_connection_pool_size: Index = Index(64), "64", AtStart;
    /// Speak TLS with them from the beginning
    auth_ldap_use_ssl: bool = false, "false", AtStart;
    /// Begin TLS with them once connected
    auth_ldap_use_starttls: bool = false, "false", AtStart;
    /// The authorities that their certificates may come from, in PEM
    auth_ldap_cacertfile: Option<PathBuf> = None, "those of the system", AtStart;
    /// Whether their certificates are looked at
    auth_ldap_verify: Verify = Verify::Peer, "peer", AtStart;
    /// The certificate to show to the directory, and those that lead to its authority, in PEM
    auth_ldap_certfile: Option<PathBuf> = None, "none", AtStart;
    /// The key of that certificate, in PEM
    auth_ldap_keyfile: Option<PathBuf> = None, "auth_ldap_certfile", AtStart;
    /// The entry of a user
    auth_ldap_user_dn_pattern: String = "${username}".to_owned(), "${username}", AtStart;
    /// As whom a user binds, if not as that
    auth_ldap_user_bind_pattern: Option<String> = None, "none", AtStart;
    /// Search for the entry of a user by this attribute
    auth_ldap_dn_lookup_attribute: Option<String> = None, "none", AtStart;
    /// Below this entry
    auth_ldap_dn_lookup_base: Option<String> = None, "none", AtStart;
    /// As whom: as_user, anon, or auth_ldap_dn_lookup_bind_user_dn
    auth_ldap_dn_lookup_bind: String = "as_user".to_owned(), "as_user", AtStart;
    /// As this entry
    auth_ldap_dn_lookup_bind_user_dn: Option<String> = None, "none", AtStart;
    /// With this password
    auth_ldap_dn_lookup_bind_password: Option<Secret> = None, "none", AtStart;
    /// As whom other questions are asked: as_user, anon, or auth_ldap_other_bind_user_dn
    auth_ldap_other_bind: String = "as_user".to_owned(), "as_user", AtStart;
    /// As this entry
    auth_ldap_other_bind_user_dn: Option<String> = None, "none", AtStart;
    /// With this password
    auth_ldap_other_bind_password: Option<Secret> = None, "none", AtStart;
    /// Groups are below this entry
    auth_ldap_group_lookup_base: Option<String> = None, "auth_ldap_dn_lookup_base", AtStart;
    /// Who may enter a virtual host
    auth_ldap_queries_vhost_access: DirectoryQuery = DirectoryQuery::always(), "{constant, true}", AtStart;
    /// Who may do what with an exchange or a queue
    auth_ldap_queries_resource_access: DirectoryQuery = DirectoryQuery::always(), "{constant, true}", AtStart;
    /// Who may use a routing key
    auth_ldap_queries_topic_access: DirectoryQuery = DirectoryQuery::always(), "{constant, true}", AtStart;
    /// Who has which tags
    auth_ldap_queries_tags: TagQueries = TagQueries("[{administrator, {constant, false}}]".to_owned()), "[{administrator, {constant, false}}]", AtStart;
    /// Whose answers the backend cache remembers
    auth_cache_cached_backend: AuthBackend = AuthBackend::INTERNAL, "internal", AtStart;
    /// How long
    auth_cache_cache_ttl: Timeout = Timeout(Some(15_000)), "15s", AtStart;
    /// Remember refusals, too
    auth_cache_cache_refusals: bool = false, "false", AtStart;

    /// Read RabbitMQ's files where RabbitMQ has them, in /etc/rabbitmq: rabbitmq.conf, conf.d, advanced.config, enabled_plugins, rabbitmq-env.conf
    rabbitmq_files: bool = false, "false", AtStart;
    /// The name of the node that is told: it is in no path
    node_name: String = "rabbit@localhost".to_owned(), "rabbit@localhost", AtStart;
    /// Members of this group may give commands over the local socket, which then lies in the directory of what runs
    socket_group: Option<SystemGroup> = None, "none", AtStart;
    /// Write the number of the process to this file; if that fails, the log has a warning
    pid_file: Option<PathBuf> = None, "none", AtStart;
    /// Write the ports of all listeners to this file as JSON once the broker is ready; if that fails, the log has a warning
    ports_file: Option<PathBuf> = None, "none", AtStart;
    /// Send alerts to this URL, as a POST with JSON for each that is raised or over; without it they are sent nowhere
    alerts_webhook_url: Option<HttpUrl> = None, "none", AtStart;
    /// The authorities that the certificate of an https URL for alerts may come from, in PEM
    alerts_webhook_cacertfile: Option<PathBuf> = None, "those of the system", AtStart;
    /// How to write the log
    log_format: LogFormat = LogFormat::Text, "text", AtStart;
    /// Give the lines of the log to the exchange amq.rabbitmq.log of the default virtual host, too; keys are levels
    log_exchange: bool = false, "false", AtStart;
    /// What of the log to give to that exchange
    log_exchange_level: Option<LogLevel> = None, "log_level", AtRunTime;
    /// Send the log to a syslog server, too
    log_syslog: bool = false, "false", AtStart;
    /// What of the log to send there
    log_syslog_level: Option<LogLevel> = None, "log_level", AtRunTime;
    /// How to write the log there
    log_syslog_format: Option<LogFormat> = None, "log_format", AtStart;
    /// How to reach it; unix is for a socket of this machine
    log_syslog_transport: SyslogTransport = SyslogTransport::Udp, "udp", AtStart;
    /// Its host, or with unix the path of its socket
    log_syslog_host: Option<String> = None, "localhost, and /dev/log with unix", AtStart;
    /// Its port
    log_syslog_port: PortNumber = PortNumber(514), "514", AtStart;
    /// What messages to it look like; with tls it is rfc5424
    log_syslog_protocol: Option<SyslogProtocol> = None, "rfc3164, and rfc5424 with tls", AtStart;
    /// The authorities that its certificate may come from, in PEM
    log_syslog_cacertfile: Option<PathBuf> = None, "those of the system", AtStart;
    /// Whether its certificate is looked at
    log_syslog_verify: Verify = Verify::Peer, "peer", AtStart;
    /// The certificate to show to it, and those that lead to its authority, in PEM
    log_syslog_certfile: Option<PathBuf> = None, "none", AtStart;
    /// The key of that certificate, in PEM
    log_syslog_keyfile: Option<PathBuf> = None, "log_syslog_certfile", AtStart;
    /// The name of the program in these messages
    log_syslog_identity: SyslogIdentity = SyslogIdentity::OWN, "leveret", AtStart;
    /// Which kind of program it is there
    log_syslog_facility: SyslogFacility = SyslogFacility::DAEMON, "daemon", AtStart;
    /// What of the log to write; LEVERET_LOG is the same
    log_level: LogFilter = LogFilter::default(), "info", AtRunTime;
    /// Levels of categories: an output writes what both its level and that of the category let through
    log_categories: Vec<CategoryLevel> = Vec::new(), "log_level", AtRunTime;
    /// Write the log to stderr
    log_console: bool = true, "true", AtStart;
    /// What of the log to write to stderr
    log_console_level: Option<LogLevel> = None, "log_level", AtRunTime;
    /// How to write the log to stderr
    log_console_format: Option<LogFormat> = None, "log_format", AtStart;
    /// Write the log to files in this directory: NODE.log, unless log_file says otherwise
    log_dir: Option<PathBuf> = None, "none", AtStart;
    /// Write the log to this file, which is opened again at a hang-up; false for none
    log_file: Option<LogFileName> = None, "NODE.log in log_dir, if that is given", AtStart;
    /// What of the log to write to the file
    log_file_level: Option<LogLevel> = None, "log_level", AtRunTime;
    /// How to write the log to the file
    log_file_format: Option<LogFormat> = None, "log_format", AtStart;
    /// Rotate the file when it would get larger: it is FILE.0 then, and what was that is FILE.1
    log_file_rotation_size: Option<FileBytes> = None, "never", AtStart;
    /// Rotate the file at such a time of the calendar, in UTC
    log_file_rotation_date: Option<RotationDate> = None, "never", AtStart;
    /// How many rotated files to keep; 0 for none, as RabbitMQ has it
    log_file_rotation_count: FileCount = FileCount(5), "5", AtStart;
    /// Compress rotated files with gzip
    log_file_rotation_compress: bool = false, "false", AtStart;
}

/// Two settings that say different things of one matter: together they make no sense.
pub(super) const EXCLUDING: [(&str, &str); 8] = [
    ("in_memory", "data_dir"),
    ("in_memory", "salvage"),
    ("no_amqp", "amqp_listen"),
    ("no_http", "http_listen"),
    ("no_prometheus", "prometheus_listen"),
    ("no_consumer_timeout", "consumer_timeout"),
    ("default_user_file", "default_user"),
    ("default_pass_file", "default_pass"),
];

/// Short names that people try first: as flags, variables and keys of files.
pub(super) const OTHER_NAMES: [(&str, &str); 2] = [("amqp_listen", "port"), ("http_listen", "http_port")];

#[cfg(test)]
mod tests;
