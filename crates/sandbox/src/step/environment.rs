//! The environment of a command: made from nothing, so that no secret of the server's can be in it.

use std::path::Path;

use crate::helper::RELAY_PORT;
use crate::sandbox::Shared;
use crate::spec::Spec;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where most distributions keep the certificates of authorities, in one file.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Variables by which programs that bring their own authorities learn of the machine's, which may have more.
const AUTHORITY_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
];

/// Variables by which programs learn of the proxy. There is none that all of them read.
const PROXY_VARIABLES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "npm_config_proxy",
    "npm_config_https_proxy",
    "YARN_HTTP_PROXY",
    "YARN_HTTPS_PROXY",
];

/// What every command finds, and over it what was asked for.
pub(super) fn environment(shared: &Shared, spec: &Spec, temp: &Path) -> Vec<(String, String)> {
    let walls = shared.walls.is_some();
    let temp = if walls { "/tmp".into() } else { temp.display().to_string() };
    let mut env: Vec<(String, String)> = [
        ("PATH", path(&shared.options.tools)),
        ("HOME", spec.home.display().to_string()),
        ("TMPDIR", temp),
        ("LANG", "C.UTF-8".into()),
        ("SHELL", "/bin/sh".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut set = |names: &[&str], value: &str| {
        env.extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
    };
    if walls {
        set(&["USER", "LOGNAME"], "build");
    }
    if let Some(file) = AUTHORITIES.iter().find(|file| Path::new(file).is_file()) {
        set(&AUTHORITY_VARIABLES, file);
    }
    if walls && spec.network {
        set(&PROXY_VARIABLES, &format!("http://127.0.0.1:{RELAY_PORT}"));
        // What a program serves to itself. These variables know no ports: where the operator has opened something on
        // the machine's loopback, all of loopback is asked of the proxy.
        if !shared.options.allow.opens_loopback() {
            set(&["no_proxy", "NO_PROXY"], "localhost,127.0.0.1,::1");
        }
        // Node reads the variables above only when told to.
        set(&["NODE_USE_ENV_PROXY"], "1");
    }
    env.extend(spec.env.iter().cloned());
    env
}

fn path(tools: &[std::path::PathBuf]) -> String {
    let mut path = String::new();
    for directory in tools {
        let bin = directory.join("bin");
        let directory = if bin.is_dir() { &bin } else { directory };
        path.push_str(&directory.display().to_string());
        path.push(':');
    }
    path + PATH
}
