//! What the configuration calls the cluster, and tells of it.

use crate::broker::Broker;
use crate::broker::administration::AdministrationError;
use crate::config::Settings;

/// What each start says of the cluster.
#[derive(Debug, Default)]
pub(super) struct ClusterAtStart {
    name: Option<String>,
    tags: Vec<(String, String)>,
}

impl From<&Settings> for ClusterAtStart {
    fn from(settings: &Settings) -> Self {
        let tags = settings.cluster_tags.iter().map(|tag| (tag.name.clone(), tag.value.clone())).collect();
        Self { name: settings.cluster_name.clone(), tags }
    }
}

impl ClusterAtStart {
    pub(super) fn tell(&self, broker: &Broker) -> Result<(), AdministrationError> {
        broker.tell_of_cluster(self.name.as_deref(), &self.tags)
    }
}
