//! The pod we run in, whose own events are dropped: each delivery opens a connection, and where
//! network visibility is on, each connection would become an event to deliver.

use sidearm_sinks::contract::Event;

/// Our own pod, as Kubernetes' downward API names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPod {
    name: String,
    namespace: String,
}

impl OwnPod {
    /// From `POD_NAME` and `POD_NAMESPACE`; nothing unless both are set, since a pod's name alone
    /// could be that of a stranger in another namespace.
    pub fn from_env() -> Option<Self> {
        let read = |name| std::env::var(name).unwrap_or_default();
        Self::new(read("POD_NAME"), read("POD_NAMESPACE"))
    }

    fn new(name: String, namespace: String) -> Option<Self> {
        (!name.is_empty() && !namespace.is_empty()).then_some(Self { name, namespace })
    }

    /// Whether an event tells of this pod. A gap record never does.
    pub fn is_own(&self, event: &Event<'_>) -> bool {
        !event.is_gap() && event.pod() == self.name && event.namespace() == self.namespace
    }
}

#[cfg(test)]
mod tests {
    use sidearm_proto::feeder;
    use sidearm_sinks::contract::Stream;

    use super::*;
    use crate::testing::{alert, gap, log};

    fn own() -> OwnPod {
        OwnPod::new("sidearm-0".to_owned(), "security".to_owned()).expect("both are given")
    }

    #[test]
    fn only_our_own_pod_in_our_own_namespace_is_ours() {
        let of = |namespace: &str, pod: &str| {
            log(feeder::Log {
                NamespaceName: namespace.into(),
                PodName: pod.into(),
                ..feeder::Log::default()
            })
        };
        assert!(own().is_own(&of("security", "sidearm-0").view()));
        assert!(!own().is_own(&of("security", "sidearm-1").view()));
        assert!(!own().is_own(&of("shop", "sidearm-0").view()));
        assert!(!own().is_own(&alert(feeder::Alert::default()).view()));
        assert!(!own().is_own(&gap(Stream::Alert).view()));
    }

    #[test]
    fn half_a_name_is_none() {
        assert_eq!(OwnPod::new("sidearm-0".to_owned(), String::new()), None);
        assert_eq!(OwnPod::new(String::new(), "security".to_owned()), None);
    }
}
