//! What a cluster is given before its first event: lifecycle policy, templates, data streams.
//!
//! The JSON is that of `deploy/siem/`, adapted to the sink's index and format. Policies and the
//! component `kubearmor-custom` are people's once they are there and stay as they are; the rest is
//! made anew each time. What a cluster lacks (lifecycle management, in some builds) is told.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::{Elasticsearch, Flavour, Index, index::data_stream};
use crate::contract::{
    Encoding, Format, Http, HttpReply, HttpRequest, Progress, Setup, SetupStep, Stream,
};

const SETTINGS: &str = include_str!("../../deploy/siem/elasticsearch/component-settings.json");
const ECS: &str = include_str!("../../deploy/siem/elasticsearch/component-ecs.json");
const OWN: &str = include_str!("../../deploy/siem/elasticsearch/component-own.json");
const CUSTOM: &str = include_str!("../../deploy/siem/elasticsearch/component-custom.json");
const LIFECYCLE: &str = include_str!("../../deploy/siem/elasticsearch/component-lifecycle.json");
const TEMPLATE: &str = include_str!("../../deploy/siem/elasticsearch/index-template.json");
const ILM: &str = include_str!("../../deploy/siem/elasticsearch/ilm-policy.json");
const ILM_DATED: &str = include_str!("../../deploy/siem/elasticsearch/ilm-policy-dated.json");
const ISM: &str = include_str!("../../deploy/siem/opensearch/ism-policy.json");
const ISM_DATED: &str = include_str!("../../deploy/siem/opensearch/ism-policy-dated.json");

/// Above that of the built-in template for `logs-*-*`, which is 100.
const PRIORITY: usize = 200;

/// An installation under way.
#[derive(Debug)]
pub(super) struct Installation {
    base: String,
    headers: HeaderMap,
    plan: Plan,
    steps: VecDeque<Step>,
    /// The request whose answer is waited for.
    asked: Option<Step>,
    /// Whether indexes can be given a lifecycle.
    has_lifecycle: bool,
}

/// What is installed, whoever it is installed on.
#[derive(Debug)]
struct Plan {
    /// The name of the index template, and on OpenSearch of the policy.
    name: String,
    patterns: Vec<String>,
    /// Templates whose patterns meet may not have the same, so the narrower one has the higher.
    priority: usize,
    is_data_stream: bool,
    lifecycle: Lifecycle,
    /// The component with the fields of the sink's format.
    fields: &'static str,
    /// Data streams that are known by name.
    data_streams: Vec<String>,
}

/// How indexes come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifecycle {
    /// By themselves, as they grow and age.
    RolledOver,
    /// By the day in their names.
    Dated,
    /// Never: it is one index.
    Endless,
}

#[derive(Debug)]
enum Step {
    Detect,
    /// Makes `then` where it is not there yet.
    Look {
        path: String,
        then: Box<Step>,
        is_lifecycle: bool,
    },
    Make {
        path: String,
        body: Value,
    },
    LifecycleComponent,
    DataStream(String),
}

impl Installation {
    pub(super) fn new(sink: &Elasticsearch, format: Format, streams: &[Stream]) -> Self {
        let mut headers = sink.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let plan = Plan::new(&sink.index, format, streams);
        let steps = match sink.flavour {
            Flavour::Auto => VecDeque::from([Step::Detect]),
            flavour => plan.steps(flavour),
        };
        let base = sink.cluster.base().to_owned();
        Self { base, headers, plan, steps, asked: None, has_lifecycle: true }
    }

    /// What the answer to a step means; an error where nothing can go on.
    fn judge(&mut self, step: Step, reply: &HttpReply) -> Result<String, String> {
        if matches!(reply.status, 401 | 403) {
            return Err(format!(
                "{}; installing needs the privileges manage_index_templates and manage_ilm (or, \
                 on OpenSearch, their like)",
                reply.summary()
            ));
        }
        let is_there = (200..300).contains(&reply.status);
        match step {
            Step::Detect => {
                let (flavour, words) = detected(reply)?;
                self.steps = self.plan.steps(flavour);
                Ok(words)
            }
            Step::Look { .. } if is_there => Ok("is there already, left as it is".to_owned()),
            Step::Look { then, .. } if reply.status == 404 => {
                self.steps.push_front(*then);
                Ok("is not there yet".to_owned())
            }
            Step::Look { is_lifecycle: true, .. } if lacks(reply) => {
                self.has_lifecycle = false;
                Ok("this cluster manages no lifecycles: nothing is rolled over or deleted by \
                    itself"
                    .to_owned())
            }
            Step::DataStream(_) if already_there(reply) => Ok("is there already".to_owned()),
            Step::DataStream(_) if lacks(reply) => Ok("its first event makes it".to_owned()),
            _ if is_there => Ok("made".to_owned()),
            _ => Err(reply.summary()),
        }
    }

    fn request(&self, step: &Step) -> SetupStep<Http> {
        let send = |method: Method, path: &str, body: Option<&Value>| {
            let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
            let url = format!("{}/{path}", self.base);
            HttpRequest {
                method,
                shown_url: url.clone(),
                url,
                headers: self.headers.clone(),
                body,
                encoding: Encoding::Identity,
                message_id: String::new(),
            }
        };
        match step {
            Step::Detect => SetupStep::Ask(send(Method::GET, "", None)),
            Step::Look { path, .. } => SetupStep::Look(send(Method::GET, path, None)),
            Step::Make { path, body } => SetupStep::Make(send(Method::PUT, path, Some(body))),
            Step::LifecycleComponent => {
                let mut body = file(LIFECYCLE);
                match self.has_lifecycle {
                    true => {
                        body["template"]["settings"]["index"]["lifecycle"]["name"] =
                            self.plan.ilm_policy().into();
                    }
                    false => body["template"] = json!({}),
                }
                let path = format!("_component_template/{}", self.plan.lifecycle_component());
                SetupStep::Make(send(Method::PUT, &path, Some(&body)))
            }
            Step::DataStream(name) => {
                SetupStep::Make(send(Method::PUT, &format!("_data_stream/{name}"), None))
            }
        }
    }
}

impl Setup<Http> for Installation {
    fn next(&mut self, answer: Option<&HttpReply>) -> Progress<Http> {
        let mut told = None;
        match (self.asked.take(), answer) {
            (Some(step), Some(reply)) => match self.judge(step, reply) {
                Ok(words) => told = Some(words),
                Err(why) => return Progress { told, step: SetupStep::Failed(why) },
            },
            // Only shown: as on a cluster where nothing is there yet.
            (Some(Step::Look { then, .. }), None) => self.steps.push_front(*then),
            (_, None) | (None, _) => {}
        }
        let Some(step) = self.steps.pop_front() else {
            return Progress { told, step: SetupStep::Done };
        };
        let next = self.request(&step);
        self.asked = Some(step);
        Progress { told, step: next }
    }
}

impl Plan {
    fn new(index: &Index, format: Format, streams: &[Stream]) -> Self {
        let fields = if format == Format::Ecs { "kubearmor-ecs" } else { "kubearmor-own" };
        match index {
            Index::Streams => Self {
                name: "kubearmor".to_owned(),
                patterns: vec!["logs-kubearmor.*-*".to_owned()],
                priority: PRIORITY,
                is_data_stream: true,
                lifecycle: Lifecycle::RolledOver,
                fields,
                data_streams: streams
                    .iter()
                    .map(|stream| data_stream(*stream).to_owned())
                    .collect(),
            },
            Index::Named { name, is_data_stream } => {
                let prefix = name.prefix();
                let rest = if name.is_constant() { "" } else { "*" };
                let lifecycle = match is_data_stream {
                    true => Lifecycle::RolledOver,
                    false if name.fields().any(|field| field == "day") => Lifecycle::Dated,
                    false => Lifecycle::Endless,
                };
                let is_known = *is_data_stream && name.is_constant();
                Self {
                    name: format!("kubearmor-of-{}", prefix.trim_end_matches(['-', '_', '.'])),
                    patterns: vec![format!("{prefix}{rest}")],
                    priority: PRIORITY + 2 * prefix.len() + usize::from(rest.is_empty()),
                    is_data_stream: *is_data_stream,
                    lifecycle,
                    fields,
                    data_streams: is_known.then(|| prefix.to_owned()).into_iter().collect(),
                }
            }
        }
    }

    fn ilm_policy(&self) -> &'static str {
        if self.lifecycle == Lifecycle::Dated { "kubearmor-dated" } else { "kubearmor" }
    }

    fn lifecycle_component(&self) -> &'static str {
        match self.lifecycle {
            Lifecycle::Dated => "kubearmor-lifecycle-dated",
            Lifecycle::RolledOver | Lifecycle::Endless => "kubearmor-lifecycle",
        }
    }

    fn steps(&self, flavour: Flavour) -> VecDeque<Step> {
        let is_opensearch = flavour == Flavour::Opensearch;
        let mut steps = VecDeque::new();
        if self.lifecycle != Lifecycle::Endless {
            steps.push_back(if is_opensearch { self.ism() } else { self.ilm() });
        }
        let has_component = !is_opensearch && self.lifecycle != Lifecycle::Endless;
        if has_component {
            steps.push_back(Step::LifecycleComponent);
        }
        let fields = if self.fields == "kubearmor-ecs" { ECS } else { OWN };
        for (name, body) in [("kubearmor-settings", SETTINGS), (self.fields, fields)] {
            let path = format!("_component_template/{name}");
            steps.push_back(Step::Make { path, body: file(body) });
        }
        let path = "_component_template/kubearmor-custom".to_owned();
        let then = Step::Make { path: path.clone(), body: file(CUSTOM) };
        steps.push_back(Step::Look { path, then: then.into(), is_lifecycle: false });
        let path = format!("_index_template/{}", self.name);
        steps.push_back(Step::Make { path, body: self.template(has_component) });
        steps.extend(self.data_streams.iter().cloned().map(Step::DataStream));
        steps
    }

    fn template(&self, has_lifecycle: bool) -> Value {
        let mut template = file(TEMPLATE);
        let mut components = vec!["kubearmor-settings", self.fields];
        if has_lifecycle {
            components.push(self.lifecycle_component());
        }
        components.push("kubearmor-custom");
        template["composed_of"] = json!(components);
        template["index_patterns"] = json!(self.patterns);
        template["priority"] = json!(self.priority);
        if !self.is_data_stream {
            let members = template.as_object_mut().expect("a template is an object");
            members.remove("data_stream");
        }
        template
    }

    fn ilm(&self) -> Step {
        let body = if self.lifecycle == Lifecycle::Dated { ILM_DATED } else { ILM };
        let path = format!("_ilm/policy/{}", self.ilm_policy());
        policy(path, file(body))
    }

    /// OpenSearch finds a policy by the patterns in it.
    fn ism(&self) -> Step {
        let body = if self.lifecycle == Lifecycle::Dated { ISM_DATED } else { ISM };
        let mut body = file(body);
        let whose = &mut body["policy"]["ism_template"][0];
        whose["index_patterns"] = json!(self.patterns);
        whose["priority"] = json!(self.priority);
        policy(format!("_plugins/_ism/policies/{}", self.name), body)
    }
}

fn policy(path: String, body: Value) -> Step {
    let then = Step::Make { path: path.clone(), body };
    Step::Look { path, then: then.into(), is_lifecycle: true }
}

fn file(text: &str) -> Value {
    serde_json::from_str(text).expect("the files that come with the program are JSON")
}

/// Which of the two answered, and how that is told.
fn detected(reply: &HttpReply) -> Result<(Flavour, String), String> {
    let root: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let number = root["version"]["number"].as_str();
    let product = reply.headers.get("x-elastic-product").and_then(|value| value.to_str().ok());
    match (root["version"]["distribution"].as_str(), number, product) {
        (Some("opensearch"), Some(number), _) => {
            Ok((Flavour::Opensearch, format!("this is OpenSearch {number}")))
        }
        (_, Some(number), _) => {
            Ok((Flavour::Elasticsearch, format!("this is Elasticsearch {number}")))
        }
        (_, None, Some("Elasticsearch")) => {
            Ok((Flavour::Elasticsearch, "this is Elasticsearch".to_owned()))
        }
        _ => Err(format!(
            "{}; neither Elasticsearch nor OpenSearch says so of itself: set `flavour`",
            reply.summary()
        )),
    }
}

/// The cluster has no such part: it knows neither the path nor the method.
fn lacks(reply: &HttpReply) -> bool {
    let knows_not = |text: &str| String::from_utf8_lossy(&reply.body).contains(text);
    matches!(reply.status, 405 | 410 | 501)
        || reply.status == 400 && knows_not("no handler found for uri")
}

fn already_there(reply: &HttpReply) -> bool {
    reply.status == 400
        && String::from_utf8_lossy(&reply.body).contains("resource_already_exists_exception")
}

#[cfg(test)]
mod tests;
