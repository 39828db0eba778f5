//! OCSF 1.4.0 as far as we use it, and a check against it. Peripheral Activity is of 1.7.0.
//!
//! Any attribute, type or value that does not stand here fails, as do captions that are not those
//! of their values, attributes that are missing though required, and objects that name nothing of
//! what they must name one of. <https://schema.ocsf.io/1.4.0/>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::formats::testing::plain;

/// By object, what each of its attributes holds. `!` behind an attribute: it is required. `@`: an
/// object of that name; `[@`: a list of them. `id`: a value, whose caption stands in the attribute
/// named before the values. `any of`: one of those is required.
const OBJECTS: &str = "
event
    category_uid! id category_name 0 Uncategorized|1 System Activity|2 Findings|4 Network Activity
    class_uid! id class_name 0 Base Event|1001 File System Activity|1003 Kernel Activity|1007 Process Activity|1010 Peripheral Activity|2004 Detection Finding|4001 Network Activity|4003 DNS Activity
    activity_id! number
    activity_name text
    type_uid! number
    type_name text
    time! time
    count count
    start_time time
    end_time time
    message text
    metadata! @metadata
    severity_id! id severity 1 Informational|2 Low|3 Medium|4 High|5 Critical
    status_id number
    status text
    status_detail text
    action_id id action 2 Denied|3 Observed
    disposition_id id disposition 2 Blocked|17 Logged|19 Alert
    is_alert bool
    policy @policy
    firewall_rule @rule
    attacks [@attack
    device! @device
    actor @actor
    observables [@observable
    unmapped anything
    process @process
    file @file
    kernel @kernel
    peripheral_device @peripheral_device
    src_endpoint @endpoint
    dst_endpoint @endpoint
    connection_info @connection_info
    query @query
    finding_info @finding_info
    evidences [@evidence
    resources [@resource
metadata
    version! text 1.4.0|1.7.0
    uid text
    product! @product
    profiles [text container|host|security_control
    log_name text kubearmor.alerts|kubearmor.logs|kubearmor.messages
    log_provider text
    log_level text
    original_time text
    logged_time time
    labels [text
    correlation_uid text
product
    name text KubeArmor
    vendor_name text KubeArmor
    version text
policy
    any of name uid
    name text
    is_applied bool
rule
    any of name uid
    name text
attack
    any of tactic technique sub_technique
    tactic @named
    technique @named
    sub_technique @named
named
    any of name uid
    uid text
    name text
device
    any of hostname uid ip name
    hostname text
    uid text
    ip ip
    name text
    type_id! id type 0 Unknown
    container @container
actor
    any of process user
    process @process
    user @user
user
    any of name uid
    name text
    uid text
    type_id id type 0 Unknown
process
    any of pid uid
    pid int
    namespace_pid int
    name text
    cmd_line text
    working_directory text
    file @file
    user @user
    container @container
    parent_process @process
container
    any of uid name
    uid text
    name text
    image @image
    orchestrator text Kubernetes
    labels [text
image
    uid! text
    name text
file
    name! text
    path text
    parent_folder text
    type_id! id type 0 Unknown|1 Regular File|2 Folder
    hashes [@fingerprint
fingerprint
    algorithm_id! id algorithm 0 Unknown|1 MD5|2 SHA-1|3 SHA-256|4 SHA-512|99
    value! hash
kernel
    name! text
    type_id! id type 2 System Call|99
    system_call text
    path text
peripheral_device
    name! text
    uid text
    class text
    type_id id type 0 Unknown|1 External Storage
endpoint
    any of ip name svc_name
    ip ip
    port port
    name text
    svc_name text
connection_info
    direction_id! id direction 0 Unknown|1 Inbound|2 Outbound
    protocol_num byte
    protocol_name text
    protocol_ver_id id protocol_ver 4 Internet Protocol version 4 (IPv4)|6 Internet Protocol version 6 (IPv6)
query
    hostname! text
    type text
observable
    name text
    type_id! id type 1 Hostname|2 IP Address|4 User Name|7 File Name|8 Hash|9 Process Name
    value text
finding_info
    uid! text
    title text
    desc text
    types [text
    created_time time
    first_seen_time time
    last_seen_time time
    analytic @analytic
    attacks [@attack
analytic
    any of name uid
    name text
    type_id! id type 1 Rule
evidence
    any of process actor file src_endpoint dst_endpoint connection_info query
    process @process
    actor @actor
    file @file
    src_endpoint @endpoint
    dst_endpoint @endpoint
    connection_info @connection_info
    query @query
resource
    any of name uid
    type text Pod
    name text
    namespace text
    labels [text
";

/// By class, its activities and what it requires beside what every event has.
const CLASSES: &[(u64, &str, &[&str])] = &[
    (0, "99", &[]),
    (
        1001,
        "1 Create|3 Update|4 Delete|5 Rename|7 Set Security|12 Mount|13 Unmount|14 Open",
        &["actor", "file"],
    ),
    (1003, "4 Invoke", &["actor", "kernel"]),
    (1007, "1 Launch", &["actor", "process"]),
    (1010, "1 Connect", &["actor", "peripheral_device"]),
    (2004, "1 Create|2 Update|3 Close", &["finding_info"]),
    (4001, "1 Open|4 Fail|5 Refuse|7 Listen|99", &["connection_info"]),
    (4003, "1 Query", &["query"]),
];

/// What each of an object's attributes holds, and which of them it must have one of.
#[derive(Default)]
struct Facts {
    attributes: BTreeMap<&'static str, (bool, &'static str)>,
    any_of: Vec<&'static str>,
}

pub(super) struct Ocsf(BTreeMap<&'static str, Facts>);

impl Ocsf {
    pub(super) fn new() -> Self {
        let (mut objects, mut object) = (BTreeMap::new(), "");
        for line in OBJECTS.lines().filter(|line| !line.is_empty()) {
            let Some(fact) = line.strip_prefix("    ") else {
                object = line;
                continue;
            };
            let facts: &mut Facts = objects.entry(object).or_default();
            if let Some(names) = fact.strip_prefix("any of ") {
                facts.any_of = names.split(' ').collect();
            } else {
                let (name, kind) = fact.split_once(' ').expect("an attribute and its type");
                let required = name.ends_with('!');
                facts.attributes.insert(name.trim_end_matches('!'), (required, kind));
            }
        }
        Self(objects)
    }

    /// Fails where an event is not one of OCSF's.
    pub(super) fn check(&self, name: &str, event: &Value) {
        let event = event.as_object().expect("an object");
        if let Err(error) = self.object("event", event).and_then(|()| class(event)) {
            panic!("{name}: {error}: {event:#?}");
        }
    }

    fn object(&self, name: &str, object: &Map<String, Value>) -> Result<(), String> {
        let facts = self.0.get(name).ok_or_else(|| format!("{name} is no object"))?;
        let has = |attribute: &&&str| object.contains_key(**attribute);
        for (attribute, (required, _)) in &facts.attributes {
            if *required && !object.contains_key(*attribute) {
                return Err(format!("{name} has no {attribute}"));
            }
        }
        if !facts.any_of.is_empty() && facts.any_of.iter().find(has).is_none() {
            return Err(format!("{name} has none of {:?}", facts.any_of));
        }
        let captions: Vec<_> =
            facts.attributes.values().filter_map(|(_, kind)| kind.strip_prefix("id ")).collect();
        for (attribute, value) in object {
            let caption =
                |kind: &&str| kind.split(' ').next().is_some_and(|caption| caption == attribute);
            match facts.attributes.get(&**attribute) {
                Some((_, kind)) => self
                    .value(object, kind, value)
                    .map_err(|error| format!("{name}.{attribute}: {error}"))?,
                // It is compared where its value is.
                None if captions.iter().any(caption) => {}
                None => return Err(format!("{name} has no attribute {attribute}")),
            }
        }
        Ok(())
    }

    fn value(&self, of: &Map<String, Value>, kind: &str, value: &Value) -> Result<(), String> {
        if let Some(kind) = kind.strip_prefix('[') {
            let items = value.as_array().filter(|items| !items.is_empty());
            let items = items.ok_or_else(|| format!("no list: {value}"))?;
            return items.iter().try_for_each(|item| self.value(of, kind, item));
        }
        if let Some(object) = kind.strip_prefix('@') {
            return self.object(object, value.as_object().ok_or("no object")?);
        }
        let (kind, rest) = kind.split_once(' ').unwrap_or((kind, ""));
        if kind == "id" {
            let (caption, values) = rest.split_once(' ').expect("a caption's name and values");
            return captioned(values, value, of.get(caption));
        }
        let text = value.as_str().unwrap_or_default();
        let number = value.as_i64();
        let right = match kind {
            "text" => !text.is_empty() && (rest.is_empty() || rest.split('|').any(|v| v == text)),
            "number" => number.is_some(),
            "int" => number.is_some_and(|number| i32::try_from(number).is_ok()),
            "count" => number.is_some_and(|number| (1..=i64::from(i32::MAX)).contains(&number)),
            // Years of four digits, in milliseconds; seconds or microseconds would lie beyond.
            "time" => number.is_some_and(|ms| ms.unsigned_abs() < 260_000_000_000_000),
            "byte" => number.is_some_and(|number| u8::try_from(number).is_ok()),
            "port" => number.is_some_and(|number| u16::try_from(number).is_ok()),
            "bool" => value.is_boolean(),
            "ip" => text.parse::<std::net::IpAddr>().is_ok(),
            "hash" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "anything" => value.as_object().is_some_and(|object| !object.is_empty()),
            kind => panic!("no such type: {kind}"),
        };
        if right { Ok(()) } else { Err(format!("no {kind} {rest}: {value}")) }
    }
}

/// A value among those allowed, with its own caption; 99 has the source's.
fn captioned(values: &str, value: &Value, caption: Option<&Value>) -> Result<(), String> {
    let caption = caption.and_then(Value::as_str).ok_or("no caption")?;
    let known = values.split('|').any(|known| {
        known == format!("{value} {caption}") || (known == "99" && plain(value) == "99")
    });
    if known { Ok(()) } else { Err(format!("{value} {caption} is none of {values}")) }
}

/// What depends on the class.
fn class(event: &Map<String, Value>) -> Result<(), String> {
    let number = |name: &str| event[name].as_u64().unwrap_or(u64::MAX);
    let uid = number("class_uid");
    let (_, activities, required) =
        CLASSES.iter().find(|(class, ..)| *class == uid).ok_or("no such class")?;
    captioned(activities, &event["activity_id"], event.get("activity_name"))?;
    if number("type_uid") != uid * 100 + number("activity_id") {
        return Err("type_uid is not the class's and activity's".to_owned());
    }
    if number("category_uid") != uid / 1_000 {
        return Err("category_uid is not the class's".to_owned());
    }
    if let Some(missing) = required.iter().find(|name| !event.contains_key(**name)) {
        return Err(format!("class {uid} has no {missing}"));
    }
    let ends = ["src_endpoint", "dst_endpoint"];
    if number("category_uid") == 4 && !ends.iter().any(|end| event.contains_key(*end)) {
        return Err("no endpoint at all".to_owned());
    }
    if (uid == 1010) != (event["metadata"]["version"] == "1.7.0") {
        return Err("the version does not know the class".to_owned());
    }
    let states = if uid == 2004 { "1 New|4 Resolved" } else { "1 Success|2 Failure" };
    match event.get("status_id") {
        Some(status) => captioned(states, status, event.get("status")),
        None => Ok(()),
    }
}
