//! KubeArmor's own fields, by shorter names. Empty or 0 where the event has none.

use super::{Event, view::Own};

impl Event<'_> {
    /// `ClusterName`, as configured where the agent's says nothing.
    pub fn cluster(&self) -> &str {
        self.view.ClusterName
    }

    /// `HostName`: the node.
    pub fn host(&self) -> &str {
        self.view.HostName
    }

    /// `NamespaceName`
    pub fn namespace(&self) -> &str {
        self.view.NamespaceName
    }

    /// `PodName`
    pub fn pod(&self) -> &str {
        self.view.PodName
    }

    /// `ContainerName`
    pub fn container(&self) -> &str {
        self.view.ContainerName
    }

    /// `ContainerID`
    pub fn container_id(&self) -> &str {
        self.view.ContainerID
    }

    /// `ContainerImage`
    pub fn image(&self) -> &str {
        self.view.ContainerImage
    }

    /// `PolicyName`
    pub fn policy(&self) -> &str {
        self.view.PolicyName
    }

    /// `Action`: `Block`, `Audit` or `Audit (Block)`; empty for all but alerts.
    pub fn action(&self) -> &str {
        self.view.Action
    }

    /// `Result`: `Passed`, or why the kernel refused.
    pub fn result(&self) -> &str {
        self.view.Result
    }

    /// `Enforcer`
    pub fn enforcer(&self) -> &str {
        self.view.Enforcer
    }

    /// `Operation`: `Process`, `File`, `Network`, ...
    pub fn operation(&self) -> &str {
        self.view.Operation
    }

    /// `Resource`: what was acted upon.
    pub fn resource(&self) -> &str {
        self.view.Resource
    }

    /// `Source`: the acting process' command line.
    pub fn source(&self) -> &str {
        self.view.Source
    }

    /// `Data`: the call and its arguments.
    pub fn data(&self) -> &str {
        self.view.Data
    }

    /// `ProcessName`
    pub fn process(&self) -> &str {
        self.view.ProcessName
    }

    /// `ParentProcessName`
    pub fn parent_process(&self) -> &str {
        self.view.ParentProcessName
    }

    /// `UserName`; agents know it on hosts alone.
    pub fn user(&self) -> &str {
        self.view.UserName
    }

    /// `UID`; 0 is root, and also what an event without one says.
    pub fn uid(&self) -> i32 {
        self.view.UID
    }

    /// Whether there is a process at all.
    pub fn has_process(&self) -> bool {
        self.host_pid() != 0 || self.pid() != 0 || !self.process().is_empty()
    }

    /// Whether `UID` is somebody's. An agent says 0 also where there is no process to have a user.
    pub fn has_user(&self) -> bool {
        self.uid() != 0 || self.has_process()
    }

    /// `PID`, as the container sees it.
    pub fn pid(&self) -> i32 {
        self.view.PID
    }

    /// `HostPID`, as the node sees it.
    pub fn host_pid(&self) -> i32 {
        self.view.HostPID
    }

    /// `Message`: the policy's, or an agent's.
    pub fn message(&self) -> &str {
        self.view.Message
    }

    /// `Type`: `MatchedPolicy`, `ContainerLog`, `SidearmGap`, ...
    pub fn event_type(&self) -> &str {
        self.view.Type
    }

    /// `KubeArmorVersion`: the agent's.
    pub fn agent_version(&self) -> &str {
        self.view.KubeArmorVersion
    }

    /// `NodeID`
    pub fn node_id(&self) -> &str {
        self.view.NodeID
    }

    /// `UpdatedTime`, as the agent wrote it; where a gap ended.
    pub fn updated_time(&self) -> &str {
        match &self.own {
            Own::Gap(gap) => &gap.to,
            _ => self.view.UpdatedTime,
        }
    }

    /// `HostIP` of an agent's message.
    pub fn host_ip(&self) -> &str {
        match self.own {
            Own::Message { host_ip, .. } => host_ip,
            _ => "",
        }
    }

    /// `Level` of an agent's message.
    pub fn level(&self) -> &str {
        match self.own {
            Own::Message { level, .. } => level,
            _ => "",
        }
    }
}
