//! What is said of each of Leveret's own operations, for the OpenAPI document.

/// A parameter of the query, or a key of the body: its name, its type, whether it must be given, and what it is.
pub(super) type Field = (&'static str, &'static str, bool, &'static str);

/// What is said of one operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Below `/leveret`.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Field],
    pub(super) body: &'static [Field],
    /// The status of success, and what is answered: a content type, or nothing.
    pub(super) success: (&'static str, Option<&'static str>),
    /// Statuses of its own, beside 400, 401 and 404.
    pub(super) refusals: &'static [(&'static str, &'static str)],
}

const JSON: (&str, Option<&str>) = ("200", Some("application/json"));
const DONE: (&str, Option<&str>) = ("204", None);

const TRUNCATE: Field = ("truncate", "integer", false, "bytes of each body that are given");
const ENCODING: Field = ("encoding", "string", false, "auto or base64");
const OFFSET: Field = ("offset", "integer", false, "messages to pass over");
const LIMIT: Field = ("limit", "integer", false, "how many at most");
const CHOSEN: Field = ("messages", "array", true, "objects with position and id, as peek gives them");
const CHOSEN_DELAYED: Field = ("messages", "array", true, "objects with due_at and id");

/// What lists in pages take.
const PAGES: &[Field] = &[
    ("page", "integer", false, "the page, from 1; all in one array without"),
    ("page_size", "integer", false, "rows of a page, 100 without, 500 at most"),
    ("name", "string", false, "only those whose tag, queue or channel has this in it"),
    ("use_regex", "boolean", false, "name is a regular expression"),
    ("sort", "string", false, "a key to sort by, such as queue.name"),
    ("sort_reverse", "boolean", false, "the other way round"),
    ("columns", "string", false, "keys that are wanted, with commas between"),
];

/// A policy, as a preview takes it.
const POLICY: &[Field] = &[
    ("vhost", "string", true, "the virtual host"),
    ("pattern", "string", true, "the expression that names must match"),
    ("definition", "object", true, "its settings; in a query, as JSON"),
    ("apply-to", "string", false, "all, queues, classic_queues, quorum_queues, streams or exchanges"),
    ("priority", "integer", false, "its priority"),
    ("name", "string", false, "the policy that it would replace; a new one without"),
    ("operator", "boolean", false, "it would be an operator policy"),
];

/// Every operation there is.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/errors",
        summary: "The last errors that closed a channel or a connection",
        query: &[
            ("vhost", "string", false, "only in this virtual host"),
            ("user", "string", false, "only of this user"),
            ("after", "integer", false, "only with a larger id"),
            LIMIT,
        ],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/consumers",
        summary: "Consumers, in pages",
        query: PAGES,
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/consumers/{vhost}",
        summary: "Consumers of a virtual host, in pages",
        query: PAGES,
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/alerts",
        summary: "What an operator should look at",
        query: &[
            ("vhost", "string", false, "only of this virtual host"),
            ("history", "integer", false, "how many that are over"),
        ],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/tail",
        summary: "What is published, as it passes, as server-sent events",
        query: &[
            ("vhost", "string", true, "the virtual host"),
            ("exchange", "string", false, "only what is published to this exchange"),
            ("queue", "string", false, "only what reaches this queue"),
            ("key", "string", false, "a pattern of the routing key, as topic exchanges have it"),
            TRUNCATE,
            ENCODING,
        ],
        body: &[],
        success: ("200", Some("text/event-stream")),
        refusals: &[("429", "so many tails run already")],
    },
    Operation {
        method: "get",
        path: "/queues/{vhost}/{queue}/peek",
        summary: "Messages of a queue, which are left as they are",
        query: &[("state", "string", false, "ready, unacked, delayed or dead"), OFFSET, LIMIT, TRUNCATE, ENCODING],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/queues/{vhost}/{queue}/expect",
        summary: "Waits until a queue is as it is expected",
        query: &[],
        body: &[
            ("until", "string", true, "empty, messages, exactly, no_unacked, consumers or no_consumers"),
            ("count", "integer", false, "how many messages or consumers"),
            ("timeout_ms", "integer", false, "how long to wait"),
        ],
        success: JSON,
        refusals: &[("409", "it did not come to be"), ("429", "so many requests wait already")],
    },
    Operation {
        method: "post",
        path: "/queues/{vhost}/{queue}/messages/delete",
        summary: "Deletes chosen ready messages",
        query: &[],
        body: &[CHOSEN],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/queues/{vhost}/{queue}/messages/move",
        summary: "Moves chosen ready messages to a queue, or publishes them to an exchange",
        query: &[],
        body: &[
            CHOSEN,
            ("queue", "string", false, "to this queue"),
            ("exchange", "string", false, "to this exchange"),
            ("routing_key", "string", false, "with this key; each keeps its own without"),
        ],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/queues/{vhost}/{queue}/redrive",
        summary: "Sends dead letters back to where they came from",
        query: &[],
        body: &[
            ("to", "string", false, "queue or exchange"),
            ("destination_queue", "string", false, "to this queue instead"),
            ("filter", "object", false, "reason, queue, exchange, routing_key"),
            ("limit", "integer", false, "how many at most"),
            ("dry_run", "boolean", false, "say what would be done, and do nothing"),
        ],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "put",
        path: "/queues/{vhost}/{queue}/pause",
        summary: "Stops the deliveries of a queue",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "put",
        path: "/queues/{vhost}/{queue}/resume",
        summary: "Ends the pause of a queue",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/policies/preview",
        summary: "What a policy would change, before it is put",
        query: &[],
        body: POLICY,
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/policies/preview",
        summary: "The same, with the keys in the query",
        query: POLICY,
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/routes/{vhost}",
        summary: "Which queues a message would reach, and why",
        query: &[],
        body: &[
            ("exchange", "string", true, "the exchange"),
            ("routing_key", "string", false, "the routing key"),
            ("headers", "object", false, "the headers"),
        ],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/vhosts/{vhost}/reset",
        summary: "Makes a virtual host as new",
        query: &[],
        body: &[],
        success: JSON,
        refusals: &[("412", "the virtual host is protected from deletion")],
    },
    Operation {
        method: "get",
        path: "/delayed/{vhost}",
        summary: "Messages that exchanges hold back",
        query: &[("exchange", "string", false, "only of this exchange"), OFFSET, LIMIT, TRUNCATE, ENCODING],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/delayed/{vhost}/cancel",
        summary: "Forgets chosen delayed messages",
        query: &[],
        body: &[CHOSEN_DELAYED],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/delayed/{vhost}/publish",
        summary: "Routes chosen delayed messages now",
        query: &[],
        body: &[CHOSEN_DELAYED],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/openapi.json",
        summary: "This document",
        query: &[],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/log/rotate",
        summary: "Rotates the files of the log, or opens them again",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "put",
        path: "/settings/{name}",
        summary: "Gives a setting another value until the next start",
        query: &[],
        body: &[("value", "string", true, "as a file of settings would have it")],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "get",
        path: "/app",
        summary: "Whether clients are let in",
        query: &[],
        body: &[],
        success: JSON,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/app/stop",
        summary: "Closes all connections, and lets nobody in",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/app/start",
        summary: "Lets clients in again",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
    Operation {
        method: "post",
        path: "/app/reset",
        summary: "Removes everything, while nobody is let in",
        query: &[],
        body: &[],
        success: DONE,
        refusals: &[],
    },
];
