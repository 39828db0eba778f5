use super::*;
use crate::contract::{Sink as _, testing};

fn elastic(more: &str) -> Elasticsearch {
    let table = testing::sink(&format!("url = \"https://elastic:9200\"\n{more}"));
    Elasticsearch::of(table.expect("a table")).expect("a sink")
}

/// Method, path and body of each request, all as if shown only.
fn shown(more: &str, format: Format) -> Vec<(String, Value)> {
    let sink = elastic(more);
    let mut setup = sink.setup(format, &[Stream::Alert, Stream::Log]).expect("an installation");
    let mut all = Vec::new();
    loop {
        match setup.next(None).step {
            SetupStep::Done => return all,
            SetupStep::Failed(why) => panic!("{why}"),
            SetupStep::Ask(request) | SetupStep::Look(request) | SetupStep::Make(request) => {
                let path = request.url.trim_start_matches("https://elastic:9200");
                let body = serde_json::from_slice(&request.body).unwrap_or_default();
                assert!(all.len() < 100, "an installation ends");
                all.push((format!("{} {path}", request.method), body));
            }
        }
    }
}

fn paths(shown: &[(String, Value)]) -> Vec<&str> {
    shown.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn elasticsearch_gets_policy_components_template_and_data_streams() {
    let shown = shown("flavour = \"elasticsearch\"", Format::Ecs);
    assert_eq!(
        paths(&shown),
        [
            "GET /_ilm/policy/kubearmor",
            "PUT /_ilm/policy/kubearmor",
            "PUT /_component_template/kubearmor-lifecycle",
            "PUT /_component_template/kubearmor-settings",
            "PUT /_component_template/kubearmor-ecs",
            "GET /_component_template/kubearmor-custom",
            "PUT /_component_template/kubearmor-custom",
            "PUT /_index_template/kubearmor",
            "PUT /_data_stream/logs-kubearmor.alerts-default",
            "PUT /_data_stream/logs-kubearmor.logs-default",
        ]
    );
    assert_eq!(shown[7].1, file(TEMPLATE));
    assert_eq!(shown[2].1, file(LIFECYCLE));
}

#[test]
fn opensearch_gets_what_its_folder_says() {
    let shown = shown("flavour = \"opensearch\"", Format::Ecs);
    assert_eq!(shown[0].0, "GET /_plugins/_ism/policies/kubearmor");
    assert_eq!(shown[1], ("PUT /_plugins/_ism/policies/kubearmor".to_owned(), file(ISM)));
    let template = include_str!("../../../deploy/siem/opensearch/index-template.json");
    let (mut ours, mut by_hand) = (shown[6].1.clone(), file(template));
    for template in [&mut ours, &mut by_hand] {
        template["_meta"] = Value::Null;
    }
    assert_eq!(ours, by_hand, "{}", shown[6].0);
}

#[test]
fn the_sink_s_own_index_gets_a_template_of_its_own() {
    let template = |more: &str, format| {
        let shown = shown(&format!("flavour = \"elasticsearch\"\n{more}"), format);
        let (path, body) = shown
            .into_iter()
            .find(|(path, _)| path.starts_with("PUT /_index_template/"))
            .expect("a template");
        let patterns = body["index_patterns"].to_string();
        let components = body["composed_of"].to_string();
        (path, patterns, components, body["data_stream"].is_object())
    };
    let (path, patterns, components, is_stream) =
        template("index = \"kubearmor-{{ day }}\"", Format::Json);
    assert_eq!(path, "PUT /_index_template/kubearmor-of-kubearmor");
    assert_eq!((patterns.as_str(), is_stream), ("[\"kubearmor-*\"]", false));
    assert!(components.contains("kubearmor-own"), "{components}");
    assert!(components.contains("kubearmor-lifecycle-dated"), "{components}");
    let (_, patterns, components, is_stream) =
        template("index = \"kubearmor-alerts\"", Format::Ecs);
    assert_eq!((patterns.as_str(), is_stream), ("[\"kubearmor-alerts\"]", false));
    assert!(!components.contains("lifecycle"), "{components}");
    let (_, _, components, is_stream) =
        template("index = \"logs-ka-{{ cluster }}\"\ndata_stream = true", Format::Ecs);
    assert!(is_stream && components.contains("\"kubearmor-lifecycle\""), "{components}");
}

#[test]
fn of_two_templates_for_one_index_the_narrower_wins() {
    for flavour in ["elasticsearch", "opensearch"] {
        let priorities = |more: &str| -> Vec<u64> {
            let shown = shown(&format!("flavour = \"{flavour}\"\n{more}"), Format::Json);
            let bodies = shown.iter().map(|(_, body)| body);
            let of = |body: &Value| {
                let ism = &body["policy"]["ism_template"][0]["priority"];
                body["priority"].as_u64().or_else(|| ism.as_u64())
            };
            bodies.filter_map(of).collect()
        };
        let dated = priorities("index = \"kubearmor-{{ day }}\"");
        let named = priorities("index = \"kubearmor-\"");
        let longer = priorities("index = \"kubearmor-alerts-{{ day }}\"");
        assert!(dated.iter().all(|one| *one > 200 && *one == dated[0]), "{dated:?}");
        assert!(named[0] > dated[0] && longer[0] > named[0], "{dated:?} {named:?} {longer:?}");
    }
}

/// Plays a cluster: answers each request by its method and path.
fn play(more: &str, cluster: impl Fn(&str) -> HttpReply) -> (Vec<String>, Result<(), String>) {
    let sink = elastic(more);
    let mut setup = sink.setup(Format::Ecs, &[Stream::Alert]).expect("an installation");
    let (mut told, mut answer) = (Vec::new(), None);
    loop {
        let progress = setup.next(answer.take().as_ref());
        told.extend(progress.told);
        match progress.step {
            SetupStep::Done => return (told, Ok(())),
            SetupStep::Failed(why) => return (told, Err(why)),
            SetupStep::Ask(request) | SetupStep::Look(request) | SetupStep::Make(request) => {
                let path = request.url.trim_start_matches("https://elastic:9200/");
                told.push(format!("{} {path}", request.method));
                answer = Some(cluster(told.last().expect("it was pushed")));
            }
        }
    }
}

#[test]
fn what_people_may_have_changed_stays_as_it_is() {
    let (told, done) = play("flavour = \"elasticsearch\"", |_| testing::reply(200, "{}"));
    assert_eq!(done, Ok(()));
    for kept in ["PUT _ilm/policy/kubearmor", "PUT _component_template/kubearmor-custom"] {
        assert!(!told.contains(&kept.to_owned()), "{told:?}");
    }
    assert!(told.contains(&"PUT _index_template/kubearmor".to_owned()), "{told:?}");
}

#[test]
fn a_cluster_without_lifecycles_goes_without() {
    let (told, done) = play("", |path| match path {
        "GET " => {
            let body = "{\"version\":{\"number\":\"2.19.5\",\"distribution\":\"opensearch\"}}";
            testing::reply(200, body)
        }
        path if path.contains("_ism") => {
            testing::reply(400, "{\"error\":\"no handler found for uri [/_plugins/_ism]\"}")
        }
        path if path.contains("_data_stream") => testing::reply(
            400,
            "{\"error\":{\"type\":\"resource_already_exists_exception\"},\"status\":400}",
        ),
        path if path.starts_with("GET") => testing::reply(404, "{}"),
        _ => testing::reply(200, "{\"acknowledged\":true}"),
    });
    assert_eq!(done, Ok(()));
    assert_eq!(told[1], "this is OpenSearch 2.19.5");
    assert!(told[3].contains("manages no lifecycles"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("is there already"));
}

#[test]
fn a_cluster_is_known_by_its_answer_or_not_at_all() {
    let mut silent = testing::reply(405, "{\"error\":\"Incorrect HTTP method\"}");
    let error = detected(&silent).expect_err("unknown");
    assert!(error.contains("set `flavour`"), "{error}");
    silent.headers.insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
    assert_eq!(detected(&silent).expect("known").0, Flavour::Elasticsearch);
}

#[test]
fn a_refusal_says_what_is_needed() {
    let (_, done) = play("flavour = \"opensearch\"", |_| testing::reply(403, "no"));
    assert!(done.expect_err("refused").contains("manage_index_templates"));
    let (_, done) = play("flavour = \"opensearch\"", |_| testing::reply(500, "trouble"));
    assert_eq!(done, Err("HTTP 500: trouble".to_owned()));
}
