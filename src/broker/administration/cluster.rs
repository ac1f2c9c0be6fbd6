//! What the cluster is called, and what else is told of it: global parameters, as in RabbitMQ.

use serde_json::{Map, Value};

use super::AdministrationError;
use crate::broker::Broker;
use crate::broker::definitions::GlobalParameterDefinition;

/// The global parameter that names the cluster.
pub(crate) const CLUSTER_NAME: &str = "cluster_name";
/// The global parameter that says more of it.
pub(crate) const CLUSTER_TAGS: &str = "cluster_tags";

impl Broker {
    /// What somebody called the cluster, or else the name of its node.
    pub(crate) fn cluster_name(&self) -> String {
        let node = self.node();
        let given = node.metadata.read(|state| {
            let parameter = state.global_parameters().get(CLUSTER_NAME)?;
            parameter.value.as_str().map(str::to_owned)
        });
        given.unwrap_or_else(|| node.settings.node_name.to_string())
    }

    /// Calls the cluster so, and says this of it.
    ///
    /// # Errors
    /// None that could be foreseen; a later version may have some.
    pub(crate) fn tell_of_cluster(
        &self,
        name: Option<&str>,
        tags: &[(String, String)],
    ) -> Result<(), AdministrationError> {
        if let Some(name) = name {
            self.put_changed(CLUSTER_NAME, name.into())?;
        }
        if !tags.is_empty() {
            let tags: Map<_, _> = tags.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            self.put_changed(CLUSTER_TAGS, Value::Object(tags))?;
        }
        Ok(())
    }

    /// Each start says the same again, and only what is new is recorded.
    fn put_changed(&self, name: &str, value: Value) -> Result<(), AdministrationError> {
        let is_known = |known: &GlobalParameterDefinition| known.value == value;
        if !self.node().metadata.read(|state| state.global_parameters().get(name).is_some_and(is_known)) {
            self.put_global_parameter(GlobalParameterDefinition { name: name.to_owned(), value })?;
        }
        Ok(())
    }
}
