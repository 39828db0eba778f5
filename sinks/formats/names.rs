//! Names taken apart: paths, images, addresses, tags.

use std::net::IpAddr;

/// A path's last part and what is before it.
pub(super) struct Path<'p> {
    pub(super) name: &'p str,
    pub(super) directory: &'p str,
}

impl<'p> Path<'p> {
    pub(super) fn of(path: &'p str) -> Self {
        let trimmed = path.trim_end_matches('/');
        match trimmed.rsplit_once('/') {
            Some(("", name)) => Self { name, directory: "/" },
            Some((directory, name)) => Self { name, directory },
            None => Self { name: trimmed, directory: "" },
        }
    }

    /// What follows the name's last dot; a leading dot hides a file and begins no extension.
    pub(super) fn extension(&self) -> &'p str {
        match self.name.rsplit_once('.') {
            Some((before, extension)) if !before.is_empty() => extension,
            _ => "",
        }
    }
}

/// A container image's parts: `NAME[:TAG][@DIGEST]`.
pub(super) struct Image<'i> {
    pub(super) name: &'i str,
    pub(super) tag: &'i str,
    pub(super) digest: &'i str,
}

impl<'i> Image<'i> {
    pub(super) fn of(image: &'i str) -> Self {
        let (named, digest) = image.split_once('@').unwrap_or((image, ""));
        // A colon before the last slash parts a registry's port.
        match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Self { name, tag, digest },
            _ => Self { name: named, tag: "", digest },
        }
    }
}

/// An address, if the text is one.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let first = text.as_bytes().first()?;
    (first.is_ascii_hexdigit() || *first == b':').then(|| text.parse().ok())?
}

/// What a tag says of MITRE ATT&CK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack<'t> {
    /// `MITRE_TA0006_credential_access`
    Tactic { id: &'t str, name: &'t str },
    /// `MITRE_T1059.004_unix_shell`; `id` is of the sub-technique where there is one.
    Technique { id: &'t str, name: &'t str },
}

impl<'t> Attack<'t> {
    /// Nothing where the tag says nothing of it.
    pub(super) fn of(tag: &'t str) -> Option<Self> {
        const MARK: &str = "MITRE_";
        let from = &tag[tag.find(MARK)? + MARK.len()..];
        let digits = |from: &str| from.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(number) = from.strip_prefix("TA") {
            return (digits(number) >= 4)
                .then(|| Self::Tactic { id: &from[..6], name: from[6..].trim_start_matches('_') });
        }
        let number = from.strip_prefix('T')?;
        if digits(number) < 4 {
            return None;
        }
        let sub = number[4..].strip_prefix('.').is_some_and(|sub| digits(sub) >= 3);
        let end = if sub { 9 } else { 5 };
        Some(Self::Technique { id: &from[..end], name: from[end..].trim_start_matches('_') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_in_names() {
        for (path, name, directory, extension) in [
            ("/usr/bin/apt", "apt", "/usr/bin", ""),
            ("/a", "a", "/", ""),
            ("/etc/nginx/", "nginx", "/etc", ""),
            ("index.html", "index.html", "", "html"),
            ("/root/.ssh", ".ssh", "/root", ""),
            ("/", "", "", ""),
            ("", "", "", ""),
        ] {
            let found = Path::of(path);
            assert_eq!((found.name, found.directory), (name, directory), "{path}");
            assert_eq!(found.extension(), extension, "{path}");
        }
    }

    #[test]
    fn images_are_taken_apart() {
        for (image, name, tag, digest) in [
            ("nginx", "nginx", "", ""),
            ("r:5000/shop/cart:2.3", "r:5000/shop/cart", "2.3", ""),
            ("r:5000/cart", "r:5000/cart", "", ""),
            ("shop@sha256:ab", "shop", "", "sha256:ab"),
            ("a/b:4@sha256:ab", "a/b", "4", "sha256:ab"),
            ("", "", "", ""),
        ] {
            let found = Image::of(image);
            assert_eq!((found.name, found.tag, found.digest), (name, tag, digest), "{image}");
        }
    }

    #[test]
    fn tags_name_tactics_and_techniques() {
        for (tag, found) in [
            (
                "MITRE_T1036_masquerading",
                Some(Attack::Technique { id: "T1036", name: "masquerading" }),
            ),
            (
                "MITRE_T1059.004_unix_shell",
                Some(Attack::Technique { id: "T1059.004", name: "unix_shell" }),
            ),
            ("x_MITRE_T1036.00", Some(Attack::Technique { id: "T1036", name: ".00" })),
            ("MITRE_TA0006", Some(Attack::Tactic { id: "TA0006", name: "" })),
            ("MITRE_T103", None),
            ("MITRE_Tä036", None),
            ("MITRE", None),
            ("", None),
        ] {
            assert_eq!(Attack::of(tag), found, "{tag}");
        }
    }

    #[test]
    fn only_addresses_are_addresses() {
        assert!(ip("10.0.0.1").is_some() && ip("::1").is_some() && ip("fe80::1").is_some());
        for text in ["", "localhost", "10.0.0", "/run/x.sock", "10.0.0.1 ", "::1%eth0"] {
            assert!(ip(text).is_none(), "{text}");
        }
    }
}
