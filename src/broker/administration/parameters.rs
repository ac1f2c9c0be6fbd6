//! Parameters of components, and global parameters: kept, and given back.

use serde_json::{Value, json};

use super::{AdministrationError, Put, limits};
use crate::broker::Broker;
use crate::broker::definitions::{
    Administered, GlobalParameterDefinition, ParameterDefinition, PolicyDefinition, VhostDefinition, VhostLimits,
    is_shallow,
};
use crate::broker::metadata::MetadataState;

/// The component whose parameters are policies of operators.
pub(in crate::broker) const OPERATOR_POLICY: &str = "operator_policy";
/// The component whose parameters are limits of virtual hosts.
pub(in crate::broker) const VHOST_LIMITS: &str = "vhost-limits";
/// The name of the one parameter of that component.
pub(in crate::broker) const LIMITS: &str = "limits";
/// The global parameter that tells this cluster from all others. It belongs to its data directory, and is in no file of definitions.
pub(crate) const INTERNAL_CLUSTER_ID: &str = "internal_cluster_id";

/// Components of RabbitMQ whose parameters are kept, although nothing here acts on them.
const KEPT: [&str; 4] = ["shovel", "federation", "federation-upstream", "federation-upstream-set"];

impl Broker {
    /// All parameters, by virtual host, component and name: with the operator policies and the limits of virtual hosts, which RabbitMQ lists
    /// among them.
    pub fn parameters(&self) -> Vec<ParameterDefinition> {
        self.node().metadata.read(parameters)
    }

    /// Puts a parameter of a component. Operator policies and limits have functions of their own.
    ///
    /// # Errors
    /// When its virtual host is missing, or the value is nested too deep.
    pub fn put_parameter(&self, parameter: ParameterDefinition) -> Result<Put, AdministrationError> {
        check(&parameter.name, &parameter.value)?;
        self.administer(|state| {
            let ParameterDefinition { vhost, component, name, .. } = &parameter;
            state.vhosts.get(vhost).ok_or(AdministrationError::NoSuchVhost)?;
            let put = Put::over(state.parameter(vhost, component, name));
            Ok((put, vec![Administered::Parameter(parameter)]))
        })
    }

    /// Deletes a parameter.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_parameter(&self, vhost: &str, component: &str, name: &str) -> Result<(), AdministrationError> {
        self.administer(|state| {
            state.parameter(vhost, component, name).ok_or(AdministrationError::NotFound)?;
            let (vhost, component, name) = (vhost.to_owned(), component.to_owned(), name.to_owned());
            Ok(((), vec![Administered::ParameterDeleted { vhost, component, name }]))
        })
    }

    /// Puts a parameter of any component that there can be: a limit of a virtual host and an operator policy as what they are.
    ///
    /// # Errors
    /// When there is no such component or virtual host, or the value makes no sense.
    pub fn put_any_parameter(&self, parameter: ParameterDefinition, now_ms: u64) -> Result<Put, AdministrationError> {
        let component = parameter.component.as_str();
        if component != OPERATOR_POLICY && component != VHOST_LIMITS && !KEPT.contains(&component) {
            return Err(AdministrationError::Invalid(format!("component {component} not found")));
        }
        match understood(parameter)? {
            Understood::Policy(policy) => self.put_policy(policy, now_ms),
            Understood::Limits { vhost, limits } => self.administer(|state| {
                let known = state.vhosts.get(&vhost).ok_or(AdministrationError::NoSuchVhost)?;
                let had_any = (known.limits != VhostLimits::default()).then_some(());
                let change = Administered::Vhost(VhostDefinition { limits, ..known.clone() });
                Ok((Put::over(had_any.as_ref()), vec![change]))
            }),
            Understood::Kept(parameter) => self.administer(|state| {
                state.vhosts.get(&parameter.vhost).ok_or(AdministrationError::NoSuchVhost)?;
                let known = state.parameter(&parameter.vhost, &parameter.component, &parameter.name);
                Ok((Put::over(known), vec![Administered::Parameter(parameter)]))
            }),
        }
    }

    /// Deletes a parameter, a policy of operators, or the limits of a virtual host.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_any_parameter(
        &self,
        vhost: &str,
        component: &str,
        name: &str,
        now_ms: u64,
    ) -> Result<(), AdministrationError> {
        match component {
            OPERATOR_POLICY => self.delete_policy(vhost, name, true, now_ms),
            VHOST_LIMITS => self.administer(|state| {
                let is_limited = |known: &&VhostDefinition| name == LIMITS && known.limits != VhostLimits::default();
                let known = state.vhosts.get(vhost).filter(is_limited).ok_or(AdministrationError::NotFound)?;
                let limits = VhostLimits::default();
                Ok(((), vec![Administered::Vhost(VhostDefinition { limits, ..known.clone() })]))
            }),
            _ => self.delete_parameter(vhost, component, name),
        }
    }

    /// All global parameters, by name.
    pub fn global_parameters(&self) -> Vec<GlobalParameterDefinition> {
        self.node().metadata.read(|state| state.global_parameters().values().cloned().collect())
    }

    /// Makes what tells this cluster from all others, unless it has that.
    ///
    /// # Errors
    /// None that could be foreseen; a later version may have some.
    pub fn make_cluster_id(&self) -> Result<(), AdministrationError> {
        let value = self.node().random.name("rabbitmq-cluster-id-").into();
        let made = GlobalParameterDefinition { name: INTERNAL_CLUSTER_ID.to_owned(), value };
        self.administer(|state| {
            let is_known = state.global_parameters().contains_key(INTERNAL_CLUSTER_ID);
            Ok(((), if is_known { Vec::new() } else { vec![Administered::GlobalParameter(made)] }))
        })
    }

    /// Puts a global parameter.
    ///
    /// # Errors
    /// When the value is nested too deep.
    pub fn put_global_parameter(&self, parameter: GlobalParameterDefinition) -> Result<Put, AdministrationError> {
        check(&parameter.name, &parameter.value)?;
        self.administer(|state| {
            let put = Put::over(state.global_parameters().get(&parameter.name));
            Ok((put, vec![Administered::GlobalParameter(parameter)]))
        })
    }

    /// Deletes a global parameter.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_global_parameter(&self, name: &str) -> Result<(), AdministrationError> {
        self.administer(|state| {
            state.global_parameters().get(name).ok_or(AdministrationError::NotFound)?;
            Ok(((), vec![Administered::GlobalParameterDeleted { name: name.to_owned() }]))
        })
    }
}

/// What a parameter is.
#[derive(Clone, Debug)]
pub(in crate::broker) enum Understood {
    /// An operator policy.
    Policy(PolicyDefinition),
    /// The limits of a virtual host, all of them.
    Limits { vhost: String, limits: VhostLimits },
    /// Something of a component that this broker does not have.
    Kept(ParameterDefinition),
}

/// # Errors
/// When the value makes no sense for its component.
pub(in crate::broker) fn understood(parameter: ParameterDefinition) -> Result<Understood, AdministrationError> {
    check(&parameter.name, &parameter.value)?;
    match parameter.component.as_str() {
        OPERATOR_POLICY => operator_policy(parameter).map(Understood::Policy),
        VHOST_LIMITS => {
            let limits = limits::read(&parameter.value)?;
            Ok(Understood::Limits { vhost: parameter.vhost, limits })
        }
        _ => Ok(Understood::Kept(parameter)),
    }
}

fn operator_policy(parameter: ParameterDefinition) -> Result<PolicyDefinition, AdministrationError> {
    let ParameterDefinition { vhost, name, value, .. } = parameter;
    for key in ["priority", "definition", "pattern"] {
        if value.get(key).is_none() {
            return Err(AdministrationError::Invalid(format!("Key \"{key}\" not found in {name}")));
        }
    }
    let Value::Object(fields) = value else {
        return Err(AdministrationError::Invalid("no policy provided".into()));
    };
    super::policies::read((&vhost, &name, true), &fields)
}

/// # Errors
/// When the value could not be read from the log again.
pub(super) fn check(name: &str, value: &Value) -> Result<(), AdministrationError> {
    if is_shallow(value) {
        return Ok(());
    }
    Err(AdministrationError::Invalid(format!("the value of {name} is nested too deep")))
}

/// What [`Broker::parameters`] tells.
pub(super) fn parameters(state: &MetadataState) -> Vec<ParameterDefinition> {
    let mut all: Vec<_> = state.parameters().cloned().collect();
    all.extend(state.policies().filter(|policy| policy.is_operator).map(of_policy));
    all.extend(state.vhosts.values().filter(|vhost| vhost.limits != VhostLimits::default()).map(of_limits));
    all.sort_by(|one, other| {
        (&one.vhost, &one.component, &one.name).cmp(&(&other.vhost, &other.component, &other.name))
    });
    all
}

fn of_policy(policy: &PolicyDefinition) -> ParameterDefinition {
    let PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, .. } = policy;
    let value = json!({"pattern": pattern, "apply-to": apply_to, "definition": definition, "priority": priority});
    ParameterDefinition { vhost: vhost.clone(), component: OPERATOR_POLICY.to_owned(), name: name.clone(), value }
}

fn of_limits(vhost: &VhostDefinition) -> ParameterDefinition {
    let (component, name) = (VHOST_LIMITS.to_owned(), LIMITS.to_owned());
    ParameterDefinition { vhost: vhost.name.clone(), component, name, value: json!(vhost.limits) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::administration::tests::begun;
    use crate::broker::definitions::ApplyTo;

    fn parameter(vhost: &str, name: &str) -> ParameterDefinition {
        let (vhost, component, name) = (vhost.to_owned(), "shovel".to_owned(), name.to_owned());
        ParameterDefinition { vhost, component, name, value: json!({"src-uri": "amqp://"}) }
    }

    #[test]
    fn parameters_are_listed_with_operator_policies_and_limits() {
        let broker = begun();
        assert_eq!(broker.put_parameter(parameter("no", "s")), Err(AdministrationError::NoSuchVhost));
        assert_eq!(broker.put_parameter(parameter("/", "s")), Ok(Put::Created));
        assert_eq!(broker.put_parameter(parameter("/", "s")), Ok(Put::Replaced));
        broker.put_vhost_limit("/", "max-queues", &json!(3)).unwrap();
        let (vhost, name, pattern) = ("/".to_owned(), "p".to_owned(), ".*".to_owned());
        let definition = [("max-length".to_owned(), json!(3))].into_iter().collect();
        let (apply_to, priority, is_operator) = (ApplyTo::Queues, 5, true);
        broker
            .put_policy(PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, is_operator }, 0)
            .unwrap();
        let listed = broker.parameters();
        let components: Vec<_> = listed.iter().map(|parameter| parameter.component.as_str()).collect();
        assert_eq!(components, ["operator_policy", "shovel", "vhost-limits"]);
        let policy = json!({"pattern": ".*", "apply-to": "queues", "definition": {"max-length": 3}, "priority": 5});
        assert_eq!((&listed[0].value, &listed[2].value), (&policy, &json!({"max-queues": 3})));
        assert_eq!(broker.delete_parameter("/", "shovel", "s"), Ok(()));
        assert_eq!(broker.delete_parameter("/", "shovel", "s"), Err(AdministrationError::NotFound));
    }

    #[test]
    fn global_parameters_have_any_value() {
        let broker = begun();
        let of = |value| GlobalParameterDefinition { name: "cluster_tags".to_owned(), value };
        for value in [json!([]), json!("x"), json!({"a": {"b": null}}), json!(1.5)] {
            broker.put_global_parameter(of(value.clone())).unwrap();
            assert_eq!(broker.global_parameters(), [of(value)]);
        }
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        assert!(broker.put_global_parameter(of(deep)).is_err(), "the log could not be read again");
        assert_eq!(broker.delete_global_parameter("cluster_tags"), Ok(()));
        assert_eq!(broker.delete_global_parameter("cluster_tags"), Err(AdministrationError::NotFound));
    }
}
