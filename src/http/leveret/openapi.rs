//! `/leveret/openapi.json`: all endpoints as an OpenAPI document, made from the route table and from what is said of each operation:
//! of Leveret's own in [`OPERATIONS`], of RabbitMQ's in [`reference::ROWS`]. A test sees to it that no route is left out.

use serde_json::{Map, Value, json};

use crate::http::answer::Answer;
use crate::http::caller::Needs;
use crate::http::reference;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::routes::{ROUTES, Route};

/// A parameter of the query, or a key of the body: its name, its type, whether it must be given, and what it is.
type Field = (&'static str, &'static str, bool, &'static str);

/// What is said of one operation.
struct Operation {
    method: &'static str,
    /// Below `/leveret`.
    path: &'static str,
    summary: &'static str,
    query: &'static [Field],
    body: &'static [Field],
    /// The status of success, and what is answered: a content type, or nothing.
    success: (&'static str, Option<&'static str>),
    /// Statuses of its own, beside 400, 401 and 404.
    refusals: &'static [(&'static str, &'static str)],
}

const JSON: (&str, Option<&str>) = ("200", Some("application/json"));
const DONE: (&str, Option<&str>) = ("204", None);

const TRUNCATE: Field = ("truncate", "integer", false, "bytes of each body that are given");
const ENCODING: Field = ("encoding", "string", false, "auto or base64");
const OFFSET: Field = ("offset", "integer", false, "messages to pass over");
const LIMIT: Field = ("limit", "integer", false, "how many at most");
const CHOSEN: Field = ("messages", "array", true, "objects with position and id, as peek gives them");
const CHOSEN_DELAYED: Field = ("messages", "array", true, "objects with due_at and id");

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
const OPERATIONS: &[Operation] = &[
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

/// `GET /leveret/openapi.json`.
pub(in crate::http) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&document(&request.api.identity.leveret_version)))
}

fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let route = ROUTES.iter().find(|route| route.path.strip_prefix("/leveret") == Some(operation.path));
        let path = paths.entry(format!("/api/leveret{}", operation.path)).or_insert_with(|| json!({}));
        if let (Some(path), Some(needs)) =
            (path.as_object_mut(), route.and_then(|route| needs(route, operation.method)))
        {
            path.insert(operation.method.to_owned(), operation.described(needs));
        }
    }
    for (path, methods) in reference::ROWS {
        let Some(route) = ROUTES.iter().find(|route| route.path == *path) else { continue };
        let described = methods.iter().filter_map(|(method, summary)| {
            Some(((*method).to_owned(), as_rabbitmq_has_it(path, summary, needs(route, method)?)))
        });
        paths.insert(format!("/api{path}"), described.collect::<Map<_, _>>().into());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Leveret's HTTP API",
            "version": version,
            "description": "RabbitMQ's management API, and under /api/leveret what it has no path for: docs/leveret-api.md has examples of every answer of these.",
        },
        "paths": paths,
        "components": { "securitySchemes": { "basic": { "type": "http", "scheme": "basic" } } },
    })
}

/// An operation whose answers are RabbitMQ's.
fn as_rabbitmq_has_it(path: &str, summary: &str, needs: Needs) -> Value {
    json!({
        "summary": summary,
        "description": format!("The user needs: {}.", tag(needs)),
        "parameters": of_path(path).collect::<Vec<_>>(),
        "responses": { "default": { "description": "as RabbitMQ answers" } },
        "security": security(needs),
    })
}

fn security(needs: Needs) -> Value {
    if needs == Needs::Nothing { json!([]) } else { json!([{ "basic": [] }]) }
}

/// The parameters of a path, which stand in it in braces.
fn of_path(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
}

fn needs(route: &Route, method: &str) -> Option<Needs> {
    let action = match method {
        "get" => route.get,
        "put" => route.put,
        "post" => route.post,
        "delete" => route.delete,
        _ => None,
    };
    Some(action?.needs)
}

impl Operation {
    fn described(&self, needs: Needs) -> Value {
        let mut described = Map::new();
        described.insert("summary".to_owned(), self.summary.into());
        described.insert("description".to_owned(), format!("The user needs: {}.", tag(needs)).into());
        described.insert("parameters".to_owned(), self.parameters().into());
        if !self.body.is_empty() {
            let properties: Map<_, _> = self.body.iter().map(|field| (field.0.to_owned(), schema(field))).collect();
            let required: Vec<_> = self.body.iter().filter(|(_, _, must, _)| *must).map(|(name, ..)| *name).collect();
            let schema = json!({ "type": "object", "properties": properties, "required": required });
            let body = json!({ "content": { "application/json": { "schema": schema } } });
            described.insert("requestBody".to_owned(), body);
        }
        described.insert("responses".to_owned(), self.responses());
        described.insert("security".to_owned(), security(needs));
        described.into()
    }

    /// Those of the path, and those of the query.
    fn parameters(&self) -> Vec<Value> {
        let of_query = self.query.iter().map(|field| {
            let (name, kind, is_required, description) = *field;
            json!({ "name": name, "in": "query", "required": is_required, "description": description, "schema": { "type": kind } })
        });
        of_path(self.path).chain(of_query).collect()
    }

    fn responses(&self) -> Value {
        let (status, content) = self.success;
        let done = match content {
            Some(content) => json!({ "description": "done", "content": { content: {} } }),
            None => json!({ "description": "done" }),
        };
        let mut responses = Map::new();
        responses.insert(status.to_owned(), done);
        let common = [
            ("400", "the request says something that cannot be"),
            ("401", "no credentials, or they do not allow it"),
            ("404", "there is no such thing"),
        ];
        for (status, description) in common.iter().chain(self.refusals) {
            responses.insert((*status).to_owned(), json!({ "description": description }));
        }
        responses.into()
    }
}

fn schema(field: &Field) -> Value {
    let (_, kind, _, description) = *field;
    json!({ "type": kind, "description": description })
}

const fn tag(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing | Needs::Form => "no credentials",
        Needs::Management => "the tag management",
        Needs::Policymaker => "the tag policymaker",
        Needs::Monitoring => "the tag monitoring",
        Needs::Administrator => "the tag administrator",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the route table can do, as `get /leveret/errors`.
    fn served() -> BTreeSet<String> {
        let methods = ["get", "put", "post", "delete"];
        ROUTES
            .iter()
            .flat_map(|route| {
                let there = methods.into_iter().filter(|method| needs(route, method).is_some());
                there.map(move |method| format!("{method} {}", route.path))
            })
            .collect()
    }

    #[test]
    fn every_route_is_in_the_document_once() {
        let own = OPERATIONS.iter().map(|operation| format!("{} /leveret{}", operation.method, operation.path));
        let as_rabbitmq = reference::ROWS
            .iter()
            .flat_map(|(path, methods)| methods.iter().map(move |(method, _)| format!("{method} {path}")));
        let all: Vec<_> = own.chain(as_rabbitmq).collect();
        let described: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(described, served());
        assert_eq!(described.len(), all.len(), "each is described once");
        let document = document("1.0");
        let paths = document["paths"].as_object().unwrap();
        let count: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(count, all.len());
        assert!(paths.contains_key("/api/leveret/queues/{vhost}/{queue}/peek"));
        assert_eq!(paths["/api/users"]["get"]["description"], "The user needs: the tag administrator.");
    }

    #[test]
    fn parameters_of_paths_are_there() {
        let document = document("1.0");
        let peek = &document["paths"]["/api/leveret/queues/{vhost}/{queue}/peek"]["get"]["parameters"];
        let names: Vec<_> = peek.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["vhost", "queue", "state", "offset", "limit", "truncate", "encoding"]);
    }
}
