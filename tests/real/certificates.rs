//! An authority, and what it vouches for: a server of this machine, and a client.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use crate::rig::Trouble;

/// Writes `ca.crt`, `server.crt`, `server.key`, `server.pem` (key, certificate, authority),
/// `client.crt` and `client.key` into a folder.
pub(crate) fn write(folder: &Path) -> Result<(), Trouble> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Two authorities of one name would be told apart by their signatures alone.
    let name = format!("Authority of {}", folder.display());
    params.distinguished_name.push(DnType::CommonName, name);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(folder.join("ca.crt"), authority.pem())?;
    for (name, names, usage) in [
        ("server", vec!["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth),
        ("client", vec!["client"], ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        fs::write(folder.join(format!("{name}.crt")), certificate.pem())?;
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        let whole = key.serialize_pem() + &certificate.pem() + &authority.pem();
        fs::write(folder.join(format!("{name}.pem")), whole)?;
    }
    Ok(())
}
