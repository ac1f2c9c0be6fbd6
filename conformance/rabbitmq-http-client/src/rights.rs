//! Virtual hosts, users, and what they may do.

use rabbitmq_http_client::commons::{QueueType, UserLimitTarget, VirtualHostLimitTarget};
use rabbitmq_http_client::password_hashing;
use rabbitmq_http_client::requests::{
    EnforcedLimitParams, Permissions, TopicPermissions, UserParams, VirtualHostParams,
};

use crate::check;
use crate::harness::{Outcome, Stage, api, equal, refused, unique};

/// A user for the length of a story.
struct User<'a> {
    stage: &'a Stage,
    name: String,
}

impl<'a> User<'a> {
    fn new(stage: &'a Stage, tags: &str) -> Outcome<Self> {
        let name = unique("user");
        let hash = password_hashing::base64_encoded_salted_password_hash_sha256(&password_hashing::salt(), "secret");
        stage.api.create_user(&UserParams::new(&name, &hash, tags))?;
        Ok(Self { stage, name })
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.stage.api.delete_user(&self.name, true).ok(); // the story failed already if it does not work
    }
}

pub fn vhosts(s: &Stage) -> Outcome {
    let name = unique("vhost");
    let params = VirtualHostParams {
        name: &name,
        description: Some("for a story"),
        tags: Some(vec!["a", "b"]),
        default_queue_type: Some(QueueType::Quorum),
        tracing: true,
    };
    s.api.create_vhost(&params)?;
    let told = s.api.get_vhost(&name)?;
    equal("description", told.description.as_deref(), Some("for a story"))?;
    equal("default queue type", told.default_queue_type.as_deref(), Some("quorum"))?;
    s.api.enable_vhost_deletion_protection(&name)?;
    refused(412, s.api.delete_vhost(&name, false))?;
    s.api.disable_vhost_deletion_protection(&name)?;
    s.api.delete_vhost(&name, false)?;
    refused(404, s.api.get_vhost(&name).map(|vhost| vhost.name))
}

pub fn users(s: &Stage) -> Outcome {
    let (plain, monitor) = (User::new(s, "")?, User::new(s, "monitoring")?);
    equal("tags", s.api.get_user(&monitor.name)?.tags.0, ["monitoring"])?;
    equal("who I am", api(&monitor.name, "secret")?.current_user()?.name, monitor.name.as_str())?;
    refused(401, api(&monitor.name, "wrong")?.current_user().map(|user| user.name))?;
    refused(401, api(&plain.name, "secret")?.overview().map(|overview| overview.node))?;
    refused(401, api(&monitor.name, "secret")?.list_users().map(|users| users.len()))?;
    let without = s.api.list_users_without_permissions()?;
    check!(without.iter().any(|user| user.name == plain.name), "it has no permissions yet");
    s.api.delete_users(vec![&plain.name, &monitor.name])?;
    refused(404, s.api.get_user(&plain.name).map(|user| user.name))
}

pub fn permissions(s: &Stage) -> Outcome {
    let user = User::new(s, "management")?;
    let (name, vhost) = (user.name.as_str(), s.vhost.as_str());
    s.api.grant_permissions(&Permissions { user: name, vhost, configure: "^c", read: "^r", write: "^w" })?;
    let told = s.api.get_permissions(vhost, name)?;
    equal("rights", [told.configure, told.read, told.write], ["^c", "^r", "^w"])?;
    equal("of the user", s.api.list_permissions_of(name)?.len(), 1)?;
    equal("of the virtual host", s.api.list_permissions_in(vhost)?.len(), 2)?;
    let topic = TopicPermissions { user: name, vhost, write: "^w", read: "^r", exchange: "amq.topic" };
    s.api.declare_topic_permissions(&topic)?;
    equal("topics of the user", s.api.list_topic_permissions_of(name)?.len(), 1)?;
    equal("topics of the virtual host", s.api.list_topic_permissions_in(vhost)?.len(), 1)?;
    s.api.clear_topic_permissions(vhost, name, false)?;
    s.api.clear_permissions(vhost, name, false)?;
    equal("rights that are left", s.api.list_permissions_of(name)?.len(), 0)
}

pub fn limits(s: &Stage) -> Outcome {
    let user = User::new(s, "")?;
    s.api.set_user_limit(&user.name, EnforcedLimitParams::new(UserLimitTarget::MaxChannels, 5))?;
    equal("limits of the user", s.api.list_user_limits(&user.name)?.len(), 1)?;
    s.api.clear_user_limit(&user.name, UserLimitTarget::MaxChannels)?;
    s.api.set_vhost_limit(&s.vhost, EnforcedLimitParams::new(VirtualHostLimitTarget::MaxQueues, 1))?;
    equal("limits of the virtual host", s.api.list_vhost_limits(&s.vhost)?.len(), 1)?;
    s.api.declare_classic_queue(&s.vhost, "first")?;
    refused(400, s.api.declare_classic_queue(&s.vhost, "second"))?;
    s.api.clear_vhost_limit(&s.vhost, VirtualHostLimitTarget::MaxQueues)?;
    Ok(s.api.declare_classic_queue(&s.vhost, "second")?)
}
