//! AWS's credentials by the real program, as a pod, an instance or a person has them: each kind signs
//! what the service takes, a refusal parks with its reason, and a server in trouble costs no event.

mod site;

use std::{collections::BTreeSet, fs, path::Path};

use tokio::net::TcpListener;

use self::site::Site;
use crate::{
    doubles::aws::{Aws, LASTING, POD_TOKEN, REGION, ROLE, SESSION, Trouble, WEB_TOKEN},
    patience::eventually,
    program::{Variables, away, send_test},
};

fn person() -> Variables {
    vec![("AWS_ACCESS_KEY_ID", LASTING.0.into()), ("AWS_SECRET_ACCESS_KEY", LASTING.1.into())]
}

fn session() -> Variables {
    vec![
        ("AWS_ACCESS_KEY_ID", SESSION.0.into()),
        ("AWS_SECRET_ACCESS_KEY", SESSION.1.into()),
        ("AWS_SESSION_TOKEN", SESSION.2.into()),
    ]
}

/// Keys in a file of their own, under the name of a profile.
fn profile(folder: &Path, (id, secret): (&str, &str)) -> Variables {
    let file = folder.join("credentials");
    let text = format!("[siem]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(&file, text).expect("written");
    let file = file.display().to_string();
    vec![("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "siem".into())]
}

/// IRSA.
fn web_identity(folder: &Path, aws: &str, role: &str) -> Variables {
    let file = folder.join("web-identity-token");
    fs::write(&file, WEB_TOKEN).expect("written");
    vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.display().to_string()),
        ("AWS_ROLE_ARN", role.into()),
        ("AWS_ENDPOINT_URL_STS", aws.into()),
    ]
}

/// EKS's pod identity.
fn pod_identity(folder: &Path, aws: &str, token: &str) -> Variables {
    let file = folder.join("eks-pod-identity-token");
    fs::write(&file, token).expect("written");
    vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{aws}/v1/credentials")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string()),
    ]
}

fn instance(aws: &str) -> Variables {
    vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.into())]
}

/// A sink's table.
fn siem(aws: &Aws, service: &str) -> String {
    format!(
        "elasticsearch.url = \"{}\"\nelasticsearch.aws = {{ region = \"{REGION}\", service = \
         \"{service}\" }}",
        aws.url
    )
}

fn each_once(aws: &Aws, count: usize) {
    let taken = aws.taken();
    let ids: BTreeSet<&str> = taken.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((taken.len(), ids.len()), (count, count));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_identity_signs_what_the_service_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for service in ["es", "aoss"] {
        let aws = Aws::start(service).await;
        for (variables, key) in [
            (person(), LASTING.0),
            (session(), SESSION.0),
            (profile(folder, LASTING), LASTING.0),
            (web_identity(folder, &aws.url, ROLE), "ASIA0001"),
            (pod_identity(folder, &aws.url, POD_TOKEN), "ASIA0002"),
            (instance(&aws.url), "ASIA0003"),
        ] {
            let (accepted, told) = send_test(folder, &siem(&aws, service), &variables);
            assert!(accepted, "{key}: {told} {:?}", aws.refusals());
            assert_eq!(aws.taken().last().expect("one document").1, key, "{variables:?}");
        }
        assert_eq!((aws.taken().len(), aws.refusals()), (6, Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_who_refuses_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // The files of one case are not those of another.
    let own = |name: &str| {
        let own = folder.join(name);
        fs::create_dir(&own).expect("a folder");
        own
    };
    let aws = Aws::start("es").await;
    let gone = away().await;
    let forged = vec![
        ("AWS_ACCESS_KEY_ID", LASTING.0.into()),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-of-another".into()),
    ];
    let mut no_file = web_identity(&own("one"), &aws.url, ROLE);
    no_file[0].1 = "/nowhere/token".to_owned();
    let elsewhere = format!("{}/elsewhere", aws.url);
    for (variables, sentences) in [
        (
            web_identity(&own("two"), &aws.url, "arn:aws:iam::123456789012:role/other"),
            vec![aws.url.as_str(), "HTTP 403: AccessDenied: Not authorized to perform sts:"],
        ),
        (
            pod_identity(&own("three"), &aws.url, "eyJ.hunter2-of-another.x"),
            vec![aws.url.as_str(), "HTTP 400", "(InvalidTokenException): *** is no token"],
        ),
        (no_file, vec!["/nowhere/token", "AWS_WEB_IDENTITY_TOKEN_FILE", "No such file"]),
        (forged, vec!["HTTP 403", "The request signature we calculated does not match"]),
        (instance(&gone), vec!["found none in the environment", &gone, "cannot be reached"]),
        (instance(&elsewhere), vec![aws.url.as_str(), "HTTP 404"]),
        (web_identity(&own("four"), &gone, ROLE), vec!["nothing was sent", "asking", &gone]),
        (pod_identity(&own("five"), &gone, POD_TOKEN), vec!["nothing was sent", "asking", &gone]),
        (
            pod_identity(&own("six"), "http://192.0.2.1", POD_TOKEN),
            vec!["192.0.2.1", "not refer to an allowed IP address"],
        ),
    ] {
        let (accepted, told) = send_test(folder, &siem(&aws, "es"), &variables);
        assert!(!accepted, "{told}");
        for sentence in sentences {
            assert!(told.contains(sentence), "{sentence}: {told}");
        }
    }
    assert_eq!(aws.taken(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_near_their_end_are_renewed_and_serve_on_where_that_fails() {
    let aws = Aws::start("es").await;
    // They end in less than the five minutes that are kept in hand.
    aws.trouble(Trouble { keys_seconds: Some(200), ..Trouble::default() });
    let mut site = Site::new().await;
    let folder = site.folder().to_owned();
    site.run(&siem(&aws, "es"), &web_identity(&folder, &aws.url, ROLE)).await;
    for number in 1..=2 {
        site.publish(1);
        eventually("it is taken", async || aws.taken().len() == number).await;
        assert_eq!(aws.taken()[number - 1].1, format!("ASIA000{number}"));
    }
    aws.trouble(Trouble { keys: vec![(503, "<html>"); 100], ..Trouble::default() });
    site.publish(1);
    eventually("it is taken", async || aws.taken().len() == 3).await;
    assert_eq!((aws.taken()[2].1.as_str(), aws.given()), ("ASIA0002", 2));
    assert!(site.log().contains("the old ones still hold"), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_keys_park_the_lane_and_those_of_a_newer_file_reopen_it() {
    let aws = Aws::start("es").await;
    let mut site = Site::new().await;
    let folder = site.folder().to_owned();
    site.run(&siem(&aws, "es"), &profile(&folder, LASTING)).await;
    site.publish(3);
    eventually("they are taken", async || aws.taken().len() == 3).await;
    aws.trouble(Trouble { revoked: BTreeSet::from([LASTING.0.into()]), ..Trouble::default() });
    site.publish(5);
    eventually("it parks", async || site.log().contains("the lane is parked")).await;
    let log = site.log();
    assert!(log.contains("The security token included in the request is invalid"), "{log}");
    profile(&folder, (SESSION.0, SESSION.1));
    let token = format!("aws_session_token = {}\n", SESSION.2);
    let file = folder.join("credentials");
    let text = fs::read_to_string(&file).expect("a file") + &token;
    fs::write(&file, text).expect("written");
    eventually("they are taken", async || aws.taken().len() == 8).await;
    assert!(aws.taken()[3..].iter().all(|(_, key)| key == SESSION.0));
    each_once(&aws, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_server_that_is_away_is_waited_for_and_nothing_is_lost() {
    let aws = Aws::start("es").await;
    let agent = away().await;
    let mut site = Site::new().await;
    let folder = site.folder().to_owned();
    site.run(&siem(&aws, "es"), &pod_identity(&folder, &agent, POD_TOKEN)).await;
    site.publish(20);
    eventually("it waits", async || site.log().contains(&format!("asking {agent}"))).await;
    assert!(!site.log().contains("parked"), "{}", site.log());
    aws.trouble(Trouble { keys: vec![(500, "{}"); 4], ..Trouble::default() });
    let address = agent.trim_start_matches("http://");
    aws.listen(TcpListener::bind(address).await.expect("the same port"));
    eventually("they are taken", async || aws.taken().len() == 20).await;
    each_once(&aws, 20);
}
