//! `/leveret/openapi.json`: all endpoints as an OpenAPI document, made from the route table and from what is said of each operation:
//! of Leveret's own in [`OPERATIONS`], of RabbitMQ's in [`reference::ROWS`]. A test sees to it that no route is left out.

use serde_json::{Map, Value, json};

use super::operations::{Field, OPERATIONS, Operation};
use crate::http::answer::Answer;
use crate::http::caller::Needs;
use crate::http::reference;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::routes::{HttpRoute, ROUTES};

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
    if matches!(needs, Needs::Nothing | Needs::Form) { json!([]) } else { json!([{ "basic": [] }]) }
}

/// The parameters of a path, which stand in it in braces.
fn of_path(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
}

fn needs(route: &HttpRoute, method: &str) -> Option<Needs> {
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
    fn every_operation_of_our_own_is_in_the_documentation() {
        let page = include_str!("../../../docs/leveret-api.md");
        let heading = |one: &Operation| format!("`{} /api/leveret{}`", one.method.to_uppercase(), one.path);
        let missing: Vec<_> = OPERATIONS.iter().map(heading).filter(|heading| !page.contains(heading)).collect();
        assert_eq!(missing, [""; 0], "docs/leveret-api.md says nothing of these");
    }

    #[test]
    fn parameters_of_paths_are_there() {
        let document = document("1.0");
        let peek = &document["paths"]["/api/leveret/queues/{vhost}/{queue}/peek"]["get"]["parameters"];
        let names: Vec<_> = peek.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["vhost", "queue", "state", "offset", "limit", "truncate", "encoding"]);
    }
}
