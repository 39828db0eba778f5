//! Identities of Azure by the real program, as its environment has them: a pod's token file, an
//! application's secret, what the node or App Service says of itself.

use std::{fs, path::Path};

use crate::{
    doubles::azure::{ASSERTION, Azure, ENDED_ASSERTION, IDENTITY_HEADER, RULE, SECRET},
    program::{Variables, away, send_test},
};

/// A sink's table; `identity` is TOML.
fn siem(azure: &Azure, identity: &str) -> String {
    format!(
        "azure_logs.url = \"http://{}\"\nazure_logs.dcr = \"{RULE}\"\n\
         azure_logs.identity = {{ {identity} }}",
        azure.address
    )
}

fn by(azure: &Azure) -> String {
    siem(azure, &format!("authority = \"http://{}\"", azure.address))
}

fn ids() -> Variables {
    vec![("AZURE_TENANT_ID", "tenant-1".into()), ("AZURE_CLIENT_ID", "client-1".into())]
}

/// As AKS sets it up for a pod.
fn workload(folder: &Path, token: &str) -> Variables {
    let file = folder.join("azure-identity-token");
    fs::write(&file, token).expect("written");
    [ids(), vec![("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string())]].concat()
}

fn secret(secret: &str) -> Variables {
    [ids(), vec![("AZURE_CLIENT_SECRET", secret.into())]].concat()
}

fn app_service(endpoint: &str, header: &str) -> Variables {
    vec![("IDENTITY_ENDPOINT", format!("{endpoint}/msi/token")), ("IDENTITY_HEADER", header.into())]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_environment_is_an_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let azure = Azure::start().await;
    let url = format!("http://{}", azure.address);
    for (table, variables) in [
        (by(&azure), workload(folder, ASSERTION)),
        (by(&azure), secret(SECRET)),
        // The node's own service, at another place than the node's link.
        (by(&azure), vec![("AZURE_CLIENT_ID", "client-1".into())]),
        (siem(&azure, ""), app_service(&url, IDENTITY_HEADER)),
        (siem(&azure, "kind = \"managed\""), app_service(&url, IDENTITY_HEADER)),
    ] {
        let before = azure.tokens();
        let (accepted, told) = send_test(folder, &table, &variables);
        assert!(accepted, "{variables:?}: {told} {:?}", azure.refusals());
        assert_eq!(azure.tokens(), before + 1, "{variables:?}");
    }
    assert_eq!(azure.taken("Custom-KubeArmorAlerts").len(), 5);
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
    let azure = Azure::start().await;
    let url = format!("http://{}", azure.address);
    let gone = away().await;
    let at_gone = siem(&azure, &format!("authority = \"{gone}\""));
    let mut no_file = workload(&own("one"), ASSERTION);
    no_file[2].1 = "/nowhere/token".to_owned();
    for (table, variables, sentences) in [
        (by(&azure), workload(&own("two"), ENDED_ASSERTION), ["AADSTS700024", "valid time range"]),
        (
            by(&azure),
            workload(&own("three"), "eyJ.hunter2-of-another.x"),
            ["AADSTS700211", "federated"],
        ),
        (by(&azure), no_file, ["/nowhere/token", "No such file"]),
        (by(&azure), secret("hunter2-of-another"), ["AADSTS7000215", "Invalid client secret"]),
        (siem(&azure, ""), app_service(&url, "hunter2-other"), ["Unauthorized", "Microsoft Entra"]),
        (at_gone, secret(SECRET), ["nothing was sent", "asking Microsoft Entra"]),
    ] {
        let (accepted, told) = send_test(folder, &table, &variables);
        assert!(!accepted, "{told}");
        for sentence in sentences {
            assert!(told.contains(sentence), "{sentence}: {told}");
        }
    }
    assert_eq!(azure.tokens(), 0);
}
