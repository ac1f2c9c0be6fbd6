//! The route table: every path of the API, what its caller must be, and the function that answers.
//!
//! A new endpoint is one line here.

use super::answer::Answer;
use super::app;
use super::caller::Needs::{self, Administrator, Form, Management, Monitoring, Nothing, Policymaker};
use super::refusal::Refusal;
use super::request::Request;
use super::{
    bindings, channels, cluster, connections, consumers, definitions, exchanges, features, health, leveret, limits,
    logins, messages, nodes, operator, overview, parameters, permissions, policies, queues, users, vhosts,
};

/// What answers a request.
pub(super) type Handler = fn(&Request<'_>) -> Result<Answer, Refusal>;

/// Something that can be done with a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    /// The path of its route.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    pub(super) handler: Handler,
}

/// A path with what can be done with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpRoute {
    /// The path below `/api`, with its variable parts in braces.
    pub(super) path: &'static str,
    pub(super) get: Option<Action>,
    pub(super) put: Option<Action>,
    pub(super) post: Option<Action>,
    pub(super) delete: Option<Action>,
}

impl HttpRoute {
    const fn at(path: &'static str) -> Self {
        Self { path, get: None, put: None, post: None, delete: None }
    }

    const fn get(self, needs: Needs, handler: Handler) -> Self {
        Self { get: Some(Action { path: self.path, needs, handler }), ..self }
    }

    const fn put(self, needs: Needs, handler: Handler) -> Self {
        Self { put: Some(Action { path: self.path, needs, handler }), ..self }
    }

    const fn post(self, needs: Needs, handler: Handler) -> Self {
        Self { post: Some(Action { path: self.path, needs, handler }), ..self }
    }

    const fn delete(self, needs: Needs, handler: Handler) -> Self {
        Self { delete: Some(Action { path: self.path, needs, handler }), ..self }
    }

    /// The methods that have a handler.
    pub(super) fn methods(&self) -> impl Iterator<Item = &'static str> + use<> {
        let methods = [("GET", self.get), ("PUT", self.put), ("POST", self.post), ("DELETE", self.delete)];
        methods.into_iter().filter(|(_, action)| action.is_some()).map(|(name, _)| name)
    }

    /// What the header `allow` says.
    pub(super) fn allowed(&self) -> String {
        let head = self.get.is_some().then_some("HEAD");
        head.into_iter().chain(self.methods()).chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
    }
}

const fn at(path: &'static str) -> HttpRoute {
    HttpRoute::at(path)
}

/// Every route of the API: who is let in, and what each method does.
pub(super) const ROUTES: &[HttpRoute] = &[
    // Overview, nodes, features.
    at("/overview").get(Management, overview::get),
    at("/version").get(Nothing, overview::version),
    at("/whoami").get(Management, overview::whoami),
    at("/leveret/app").get(Management, app::get),
    at("/leveret/app/stop").post(Administrator, app::stop),
    at("/leveret/app/start").post(Administrator, app::start),
    at("/leveret/app/reset").post(Administrator, app::reset),
    at("/leveret/app/suspend").post(Administrator, app::suspend_listeners),
    at("/leveret/app/resume").post(Administrator, app::resume_listeners),
    at("/leveret/app/drain").post(Administrator, app::drain),
    at("/leveret/app/revive").post(Administrator, app::revive),
    at("/leveret/log/rotate").post(Administrator, operator::rotate_logs),
    at("/leveret/settings/{name}").put(Administrator, operator::set),
    at("/auth").get(Nothing, overview::auth),
    at("/extensions").get(Management, overview::extensions),
    at("/cluster-name").get(Management, cluster::get_name).put(Administrator, cluster::put_name),
    at("/config/effective").get(Administrator, cluster::configuration),
    at("/login").post(Form, logins::log_in),
    at("/auth/attempts/{node}").get(Monitoring, logins::attempts).delete(Monitoring, logins::forget_attempts),
    at("/auth/attempts/{node}/source")
        .get(Monitoring, logins::attempts_by_source)
        .delete(Monitoring, logins::forget_sources),
    at("/reset").delete(Administrator, cluster::reset),
    at("/reset/{node}").delete(Administrator, cluster::reset),
    at("/nodes").get(Monitoring, nodes::list),
    at("/nodes/{node}").get(Monitoring, nodes::get),
    at("/nodes/{node}/memory").get(Monitoring, nodes::memory),
    at("/nodes/{node}/memory/relative").get(Monitoring, nodes::memory_relative),
    at("/nodes/{node}/memory/ets").get(Monitoring, nodes::memory_ets),
    at("/nodes/{node}/memory/ets/relative").get(Monitoring, nodes::memory_ets),
    at("/feature-flags").get(Management, features::flags),
    at("/feature-flags/{name}/enable").put(Administrator, features::enable),
    at("/deprecated-features").get(Management, features::deprecated_features),
    at("/deprecated-features/used").get(Management, features::deprecated_features_used),
    at("/rebalance/queues").post(Administrator, cluster::rebalance),
    // What this broker does not have.
    at("/federation-links").get(Management, overview::nothing),
    at("/federation-links/{vhost}").get(Management, overview::nothing),
    at("/shovels").get(Management, overview::nothing),
    at("/shovels/{vhost}").get(Management, overview::nothing),
    at("/stream/connections").get(Management, overview::nothing),
    at("/stream/publishers").get(Management, overview::nothing),
    at("/stream/consumers").get(Management, overview::nothing),
    at("/stream/connections/{vhost}").get(Management, cluster::no_streams),
    at("/stream/connections/{vhost}/{name}").get(Management, cluster::none_such),
    at("/stream/connections/{vhost}/{name}/publishers").get(Management, cluster::no_streams),
    at("/stream/connections/{vhost}/{name}/consumers").get(Management, cluster::no_streams),
    at("/stream/publishers/{vhost}").get(Management, cluster::no_streams),
    at("/stream/publishers/{vhost}/{stream}").get(Management, cluster::no_streams),
    at("/stream/consumers/{vhost}").get(Management, cluster::no_streams),
    at("/shovels/vhost/{vhost}/{name}").get(Management, cluster::none_such),
    // Replicas of quorum queues.
    at("/queues/quorum/{vhost}/{queue}/status").get(Management, cluster::replicas),
    at("/queues/quorum/{vhost}/{queue}/replicas/add").post(Administrator, cluster::add_replica),
    at("/queues/quorum/{vhost}/{queue}/replicas/delete").delete(Administrator, cluster::delete_replica),
    at("/queues/quorum/replicas/on/{node}/grow").post(Administrator, cluster::grow),
    at("/queues/quorum/replicas/on/{node}/shrink").delete(Administrator, cluster::shrink),
    // Health.
    at("/aliveness-test/{vhost}").get(Management, health::aliveness),
    at("/healthchecks/node").get(Management, health::ok),
    at("/healthchecks/node/{node}").get(Management, health::node),
    at("/health/checks/alarms").get(Management, health::alarms),
    at("/health/checks/local-alarms").get(Management, health::alarms),
    at("/health/checks/virtual-hosts").get(Management, health::ok),
    at("/health/checks/is-in-service").get(Management, health::in_service),
    at("/health/checks/ready-to-serve-clients").get(Management, health::in_service),
    at("/health/checks/below-node-connection-limit").get(Management, health::below_connection_limit),
    at("/health/checks/reached-target-cluster-size").get(Management, health::ok),
    at("/health/checks/metadata-store/initialized").get(Management, health::ok),
    at("/health/checks/metadata-store/initialized/with-data").get(Management, health::ok),
    at("/health/checks/node-is-quorum-critical").get(Management, health::quorum_critical),
    at("/health/checks/quorum-queues-without-elected-leaders/all-vhosts").get(Management, health::ok),
    at("/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}").get(Management, health::ok),
    at("/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}").get(Management, health::ok),
    at("/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}")
        .get(Management, health::ok),
    at("/health/checks/certificate-expiration/{within}/{unit}").get(Management, health::certificates),
    at("/health/checks/port-listener/{port}").get(Management, health::port_listener),
    at("/health/checks/protocol-listener/{protocols}").get(Management, health::protocol_listener),
    // Virtual hosts.
    at("/vhosts").get(Management, vhosts::list),
    at("/vhosts/{vhost}")
        .get(Administrator, vhosts::get)
        .put(Administrator, vhosts::put)
        .delete(Administrator, vhosts::delete),
    at("/vhosts/{vhost}/permissions").get(Administrator, permissions::of_vhost),
    at("/vhosts/{vhost}/topic-permissions").get(Administrator, permissions::topic_of_vhost),
    at("/vhosts/{vhost}/deletion/protection")
        .get(Administrator, vhosts::get)
        .post(Administrator, vhosts::protect)
        .delete(Administrator, vhosts::unprotect),
    at("/vhosts/{vhost}/start/{node}").post(Administrator, vhosts::start),
    at("/vhost-limits").get(Management, limits::of_vhosts),
    at("/vhost-limits/{vhost}").get(Management, limits::of_vhosts),
    at("/vhost-limits/{vhost}/{limit}")
        .put(Administrator, limits::put_vhost)
        .delete(Administrator, limits::delete_vhost),
    at("/vhosts/{vhost}/connections").get(Management, connections::of_vhost),
    at("/vhosts/{vhost}/channels").get(Management, connections::channels_of_vhost),
    // Users and what they may do.
    at("/users").get(Administrator, users::list),
    at("/users/without-permissions").get(Administrator, users::without_permissions),
    at("/users/bulk-delete").post(Administrator, users::bulk_delete),
    at("/users/{user}")
        .get(Administrator, users::get)
        .put(Administrator, users::put)
        .delete(Administrator, users::delete),
    at("/users/{user}/permissions").get(Administrator, permissions::of_user),
    at("/users/{user}/topic-permissions").get(Administrator, permissions::topic_of_user),
    at("/users/{user}/queues").get(Administrator, users::queues),
    at("/permissions").get(Administrator, permissions::list),
    at("/permissions/{vhost}/{user}")
        .get(Administrator, permissions::get)
        .put(Administrator, permissions::put)
        .delete(Administrator, permissions::delete),
    at("/topic-permissions").get(Administrator, permissions::topic_list),
    at("/topic-permissions/{vhost}/{user}")
        .get(Administrator, permissions::topic_get)
        .put(Administrator, permissions::topic_put)
        .delete(Administrator, permissions::topic_delete),
    at("/topic-permissions/{vhost}/{user}/{exchange}")
        .get(Administrator, permissions::topic_get)
        .delete(Administrator, permissions::topic_delete),
    at("/user-limits").get(Administrator, limits::of_users),
    at("/user-limits/{user}").get(Management, limits::of_users),
    at("/user-limits/{user}/{limit}").put(Administrator, limits::put_user).delete(Administrator, limits::delete_user),
    // Policies, parameters, definitions.
    at("/policies").get(Management, policies::list),
    at("/policies/{vhost}").get(Management, policies::list),
    at("/policies/{vhost}/{name}")
        .get(Policymaker, policies::get)
        .put(Policymaker, policies::put)
        .delete(Policymaker, policies::delete),
    at("/operator-policies").get(Management, policies::operator_list),
    at("/operator-policies/{vhost}").get(Management, policies::operator_list),
    at("/operator-policies/{vhost}/{name}")
        .get(Administrator, policies::operator_get)
        .put(Administrator, policies::operator_put)
        .delete(Administrator, policies::operator_delete),
    at("/parameters").get(Policymaker, parameters::list),
    at("/parameters/{component}").get(Policymaker, parameters::list),
    at("/parameters/{component}/{vhost}").get(Policymaker, parameters::list),
    at("/parameters/{component}/{vhost}/{name}")
        .get(Policymaker, parameters::get)
        .put(Policymaker, parameters::put)
        .delete(Policymaker, parameters::delete),
    at("/global-parameters").get(Policymaker, parameters::global_list),
    at("/global-parameters/{name}")
        .get(Policymaker, parameters::global_get)
        .put(Policymaker, parameters::global_put)
        .delete(Policymaker, parameters::global_delete),
    at("/definitions").get(Administrator, definitions::export).post(Administrator, definitions::import),
    at("/definitions/{vhost}")
        .get(Administrator, definitions::export_vhost)
        .post(Administrator, definitions::import_vhost),
    at("/all-configuration").get(Administrator, definitions::export).post(Administrator, definitions::import),
    at("/auth/hash_password/{password}").get(Administrator, users::hash_password),
    // Exchanges, queues, bindings.
    at("/exchanges").get(Management, exchanges::list),
    at("/exchanges/{vhost}").get(Management, exchanges::list),
    at("/exchanges/{vhost}/{exchange}")
        .get(Management, exchanges::get)
        .put(Management, exchanges::put)
        .delete(Management, exchanges::delete),
    at("/exchanges/{vhost}/{exchange}/publish").post(Management, messages::publish),
    at("/exchanges/{vhost}/{exchange}/bindings/source").get(Management, exchanges::bindings_from),
    at("/exchanges/{vhost}/{exchange}/bindings/destination").get(Management, exchanges::bindings_to),
    at("/queues").get(Management, queues::list),
    at("/queues/detailed").get(Management, queues::detailed),
    at("/queues/{vhost}").get(Management, queues::list),
    at("/queues/{vhost}/{queue}")
        .get(Management, queues::get)
        .put(Management, queues::put)
        .delete(Management, queues::delete),
    at("/queues/{vhost}/{queue}/bindings").get(Management, queues::bindings),
    at("/queues/{vhost}/{queue}/contents").delete(Management, queues::purge),
    at("/queues/{vhost}/{queue}/get").post(Management, messages::get),
    at("/queues/{vhost}/{queue}/actions").post(Management, queues::actions),
    at("/bindings").get(Management, bindings::list),
    at("/bindings/{vhost}").get(Management, bindings::list),
    at("/bindings/{vhost}/e/{exchange}/{type}/{destination}")
        .get(Management, bindings::between)
        .post(Management, bindings::post),
    at("/bindings/{vhost}/e/{exchange}/{type}/{destination}/{props}")
        .get(Management, bindings::get)
        .delete(Management, bindings::delete),
    // Connections, channels, consumers.
    at("/connections").get(Management, connections::list),
    at("/connections/{connection}").get(Management, connections::get).delete(Management, connections::delete),
    at("/connections/{connection}/channels").get(Management, connections::channels),
    at("/connections/{connection}/sessions").get(Management, connections::sessions),
    at("/connections/username/{user}")
        .get(Management, connections::of_user)
        .delete(Management, connections::delete_of_user),
    at("/channels").get(Management, channels::list),
    at("/channels/{channel}").get(Management, channels::get),
    at("/consumers").get(Management, consumers::list),
    at("/consumers/{vhost}").get(Management, consumers::list),
    // Leveret's own: docs/leveret-api.md.
    at("/leveret/openapi.json").get(Nothing, leveret::openapi::get),
    at("/leveret/alerts").get(Monitoring, leveret::alerts::list),
    at("/leveret/consumers").get(Management, consumers::pages),
    at("/leveret/consumers/{vhost}").get(Management, consumers::pages),
    at("/leveret/errors").get(Management, leveret::errors::list),
    at("/leveret/tail").get(Monitoring, leveret::tail::get),
    at("/leveret/delayed/{vhost}").get(Management, leveret::delayed::list),
    at("/leveret/delayed/{vhost}/cancel").post(Management, leveret::delayed::cancel),
    at("/leveret/delayed/{vhost}/publish").post(Management, leveret::delayed::publish),
    at("/leveret/queues/{vhost}/{queue}/peek").get(Management, leveret::peek::get),
    at("/leveret/queues/{vhost}/{queue}/expect").post(Management, leveret::expect::post),
    at("/leveret/queues/{vhost}/{queue}/messages/delete").post(Management, leveret::messages::delete),
    at("/leveret/queues/{vhost}/{queue}/messages/move").post(Management, leveret::messages::move_on),
    at("/leveret/queues/{vhost}/{queue}/redrive").post(Management, leveret::redrive::post),
    at("/leveret/queues/{vhost}/{queue}/pause").put(Policymaker, leveret::messages::pause),
    at("/leveret/queues/{vhost}/{queue}/resume").put(Policymaker, leveret::messages::resume),
    at("/leveret/policies/preview").get(Policymaker, leveret::preview::get).post(Policymaker, leveret::preview::post),
    at("/leveret/routes/{vhost}").post(Management, leveret::reach::post),
    at("/leveret/vhosts/{vhost}/reset").post(Administrator, leveret::reset::post),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_there_once_and_can_do_something() {
        let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        paths.sort_unstable();
        let count = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), count);
        for route in ROUTES {
            assert_ne!(route.allowed(), "OPTIONS", "{}", route.path);
        }
    }
}
