//! Refusals of one record, trouble of the whole, and what `sidearm setup` leaves behind.

use super::Search;
use crate::{
    program::{Feed, Program},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Every check, in order.
pub(super) const ALL: &[Further] = &[
    ("setup", setup),
    ("dated index", dated_index),
    ("mapping conflict", mapping_conflict),
    ("full disk", full_disk),
    ("missing index", missing_index),
];

/// Alerts of a small delivery.
const FEW: usize = 500;

fn of(counterpart: &mut dyn Counterpart) -> Result<&mut Search, Trouble> {
    Ok(counterpart.as_any().downcast_mut::<Search>().ok_or("expected a node")?)
}

/// A second setup changes nothing of what people may have changed.
fn setup(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let node = of(counterpart)?;
    let custom = "{\"template\":{\"settings\":{\"index\":{\"number_of_replicas\":\"0\"}}}}";
    node.must("PUT", "/_component_template/kubearmor-custom", custom)?;
    let told = node.setup()?;
    let kept = node.must("GET", "/_component_template/kubearmor-custom", "")?;
    let settings = &kept["component_templates"][0]["component_template"]["template"]["settings"];
    if settings["index"]["number_of_replicas"] != "0" {
        return Err(format!("kubearmor-custom was changed: {kept}").into());
    }
    let template = node.must("GET", "/_index_template/kubearmor", "")?;
    let template = &template["index_templates"][0]["index_template"];
    if template["priority"] != 200 || !template["data_stream"].is_object() {
        return Err(format!("the template is another: {template}").into());
    }
    // Whatever was delivered so far lies in data streams of that template.
    let (_, indexes) = node.call("GET", "/_all/_settings?expand_wildcards=all", "")?;
    let backing = indexes.as_object().map_or(0, |indexes| {
        indexes.keys().filter(|name| name.starts_with(".ds-logs-kubearmor.")).count()
    });
    if backing == 0 {
        return Err("no data stream was used".into());
    }
    Ok(format!("{} lines, what is people's was kept, {backing} data streams", told.lines().count()))
}

/// Plain indexes by the event's own day, in KubeArmor's own JSON.
fn dated_index(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let node = of(counterpart)?;
    let more = "format = \"json\"\nelasticsearch.index = \"dated-{{ day }}\"";
    let mut program = Program::start(&node.lines(more))?;
    let feed = program.publish(FEW)?;
    program.settled(&feed)?;
    program.stop()?;
    Count::of(&feed.ids, &node.documents("dated-*")?).exact(&program, "")
}

/// A document that does not fit its index is a dead letter, and takes no neighbour with it.
fn mapping_conflict(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    const EVERY: usize = 10;
    let node = of(counterpart)?;
    let mapping = "{\"mappings\":{\"properties\":{\"Message\":{\"type\":\"long\"}}}}";
    node.must("PUT", "/conflict", mapping)?;
    let more = "format = \"json\"\nelasticsearch.index = \"conflict\"";
    let mut program = Program::start(&node.lines(more))?;
    let (mut good, mut bad) = (Feed::default(), Feed::default());
    for number in 0..100 {
        let is_bad = number % EVERY == 3;
        let alert = sidearm_proto::feeder::Alert {
            Timestamp: 1_789_899_072 + number as i64,
            Type: "MatchedPolicy".to_owned(),
            Message: if is_bad { "words".to_owned() } else { number.to_string() },
            ..Default::default()
        };
        let message = buffa::Message::encode_to_vec(&alert).into();
        let one = program.publish_message(message)?;
        if is_bad { bad.extend(one) } else { good.extend(one) }
    }
    let mut all = good.clone();
    all.extend(bad.clone());
    program.settled(&all)?;
    program.stop()?;
    let letters = program.dead_letters();
    let are_they = bad.ids.iter().all(|id| letters.contains(id))
        && letters.lines().count() == bad.ids.len()
        && letters.contains("parsing_exception");
    let count = Count::of(&good.ids, &node.documents("conflict")?);
    if !are_they {
        return Err(program.wrong(&format!("{count}; dead letters: {letters}")));
    }
    count.exact(&program, &format!(", the {} refused are dead letters", bad.ids.len()))
}

/// An index that takes no more is waited for, and nothing is given up.
fn full_disk(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let node = of(counterpart)?;
    let blocked = |yes: &str| format!("{{\"index.blocks.read_only_allow_delete\":{yes}}}");
    node.must("PUT", "/full", "")?;
    node.must("PUT", "/full/_settings", &blocked("true"))?;
    let mut program = Program::start(&node.lines("elasticsearch.index = \"full\""))?;
    let feed = program.publish(FEW)?;
    program.until_sink("the lane is told to wait", |sink| {
        let why = sink["last_error"].as_str().unwrap_or_default();
        why.contains("cluster_block_exception") && sink["dead"] == 0
    })?;
    node.must("PUT", "/full/_settings", &blocked("null"))?;
    program.settled(&feed)?;
    program.stop()?;
    Count::of(&feed.ids, &node.documents("full")?).exact(&program, ", after a wait")
}

/// An index that may not be made parks the lane until it is there.
fn missing_index(counterpart: &mut dyn Counterpart) -> Result<String, Trouble> {
    let node = of(counterpart)?;
    let auto_create =
        |value: &str| format!("{{\"persistent\":{{\"action.auto_create_index\":{value}}}}}");
    node.must("PUT", "/_cluster/settings", &auto_create("\"false\""))?;
    let mut program = Program::start(&node.lines("elasticsearch.index = \"missing\""))?;
    let feed = program.publish(FEW)?;
    program.until_sink("the lane is parked", |sink| sink["state"] == "parked")?;
    let why = program.sink()?["last_error"].as_str().unwrap_or_default().to_owned();
    node.must("PUT", "/missing", "")?;
    program.settled(&feed)?;
    program.stop()?;
    node.must("PUT", "/_cluster/settings", &auto_create("null"))?;
    if !why.contains("sidearm setup elasticsearch") {
        return Err(program.wrong(&format!("parked without advice: {why}")));
    }
    Count::of(&feed.ids, &node.documents("missing")?).exact(&program, ", after it was parked")
}
