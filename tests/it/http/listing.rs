//! Pages, order, columns and filters of lists.

use serde_json::{Value, json};

use super::{call, refused};
use crate::broker::{Management, TestBroker};

/// Queues whose names begin alike, so that a shared broker has no others of that name.
fn declare(broker: &TestBroker, api: &Management, count: usize) -> String {
    let stem = broker.name("page");
    for number in 0..count {
        let name = format!("{stem}-{number}");
        call(api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({ "durable": number % 2 == 0 }));
    }
    stem
}

fn remove(api: &Management, stem: &str, count: usize) {
    for number in 0..count {
        api.delete_quietly(&format!("/api/queues/%2F/{stem}-{number}"));
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_an_object_that_counts() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 5);
    let page = api.get(&format!("/api/queues?page=2&page_size=2&name={stem}&columns=name"));
    let numbers = ["filtered_count", "item_count", "page", "page_count", "page_size"].map(|key| page[key].clone());
    assert_eq!(numbers, [5, 2, 2, 3, 2]);
    assert_eq!(names(&page["items"]), [format!("{stem}-2"), format!("{stem}-3")]);
    let reverse = api.get(&format!("/api/queues?page=1&page_size=2&name={stem}&sort=name&sort_reverse=true"));
    assert_eq!(names(&reverse["items"]), [format!("{stem}-4"), format!("{stem}-3")]);
    let regex = api.get(&format!("/api/queues?page=1&name={stem}-[13]&use_regex=true"));
    assert_eq!(names(&regex["items"]), [format!("{stem}-1"), format!("{stem}-3")]);
    let bad = api.get(&format!("/api/queues?page=1&name={stem}-[&use_regex=true"));
    assert_eq!((bad["filtered_count"].clone(), bad["page_count"].clone()), (json!(0), json!(0)));
    let upper = api.get(&format!("/api/queues?page=1&name={}", stem.to_uppercase()));
    assert_eq!(upper["filtered_count"], 5);
    remove(&api, &stem, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_is_refused() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let get = |query: &str| api.request("GET", &format!("/api/queues?{query}"), None);
    let invalid = |text: &str| refused(400, "invalid_pagination_parameters", text);
    let zero = invalid("Invalid pagination parameters: page number 0, page size undefined");
    assert_eq!(get("page=0"), zero);
    assert_eq!(get("page=1&page_size=501"), invalid("Invalid pagination parameters: page number 1, page size 501"));
    assert_eq!(get("page=x"), refused(400, "bad_request", "Pagination parameters are invalid"));
    let beyond = refused(400, "page_out_of_range", "Page out of range, page: 9 page size: 100, len: 0");
    assert_eq!(get("page=9&name=no-queue-has-this-name"), beyond);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_reduce_objects_even_to_nothing() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 1);
    let path = format!("/api/queues/%2F/{stem}-0");
    assert_eq!(
        api.get(&format!("{path}?columns=name,arguments.x-queue-type,zzz")),
        json!({
            "name": format!("{stem}-0"), "arguments": { "x-queue-type": "classic" },
        })
    );
    assert_eq!(api.get(&format!("{path}?columns=zzz")), json!([]));
    let page = api.get(&format!("/api/queues?page=1&name={stem}&columns=zzz"));
    assert_eq!(page["items"], json!([[]]));
    remove(&api, &stem, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statistics_a_queue_is_what_it_was_declared_as() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 1);
    let page = api.get(&format!("/api/queues?page=1&name={stem}&disable_stats=true"));
    let queue = page["items"][0].as_object().unwrap();
    for key in ["name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "node", "state"] {
        assert!(queue.contains_key(key), "{key}");
    }
    for key in ["messages", "message_stats", "consumers", "memory"] {
        assert!(!queue.contains_key(key), "{key}");
    }
    remove(&api, &stem, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_lists_have_no_pages() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for path in ["/api/bindings", "/api/consumers", "/api/nodes"] {
        assert!(api.get(&format!("{path}?page=1")).is_array(), "{path}");
    }
    for path in ["/api/queues", "/api/exchanges", "/api/connections", "/api/channels"] {
        assert!(api.get(path).is_array(), "{path}");
        assert!(api.get(&format!("{path}?page_size=1&name=x")).is_array(), "{path}");
        assert!(api.get(&format!("{path}?page=1"))["items"].is_array(), "{path}");
    }
}
