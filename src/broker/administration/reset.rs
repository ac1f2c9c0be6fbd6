//! A virtual host as new: everything goes that was declared in it, and what was said of the virtual host itself stays.

use super::AdministrationError;
use crate::broker::Broker;
use crate::broker::definitions::Administered;
use crate::error::AmqpError;

/// How much a reset removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// Connections that were asked to close.
    pub connections: usize,
    /// Queues that were deleted.
    pub queues: usize,
    /// Messages in them, and those that exchanges held back.
    pub messages: usize,
    /// Exchanges that were declared.
    pub exchanges: usize,
    /// Policies and operator policies.
    pub policies: usize,
    /// Parameters that are no policies.
    pub parameters: usize,
}

impl Broker {
    /// Makes a virtual host as new: its connections are closed, and queues, exchanges, bindings, messages, policies and parameters
    /// go. Its description, tags, permissions and limits stay. A broker that is killed half-way has done a part of it.
    ///
    /// # Errors
    /// When there is none, or it is protected.
    pub fn reset_vhost(&self, name: &str) -> Result<Reset, AdministrationError> {
        let _changing = self.vhost_changes.lock();
        let vhost = self.vhost(name).ok_or(AdministrationError::NotFound)?;
        let (policies, parameters) = self.administer(|state| {
            let definition = state.vhosts.get(name).ok_or(AdministrationError::NotFound)?;
            if definition.protected_from_deletion {
                return Err(AdministrationError::Protected(name.to_owned()));
            }
            let mut changes = Vec::new();
            for policy in state.policies().filter(|policy| policy.vhost == name) {
                let (vhost, name, is_operator) = (policy.vhost.clone(), policy.name.clone(), policy.is_operator);
                changes.push(Administered::PolicyDeleted { vhost, name, is_operator });
            }
            let policies = changes.len();
            for parameter in state.parameters().filter(|parameter| parameter.vhost == name) {
                let (vhost, component, name) =
                    (parameter.vhost.clone(), parameter.component.clone(), parameter.name.clone());
                changes.push(Administered::ParameterDeleted { vhost, component, name });
            }
            Ok(((policies, changes.len() - policies), changes))
        })?;
        let error = AmqpError::connection_forced(format!("vhost '{name}' is reset"));
        let connections = self.node().registry.close_where(|connection| *connection.spec.vhost == *name, &error);
        vhost.load_policies();
        let (queues, exchanges, messages) = vhost.reset();
        // Those that every virtual host has are still there.
        vhost.apply_to_exchanges();
        Ok(Reset { connections, queues, messages, exchanges, policies, parameters })
    }
}
