//! The hosts and URLs at which this server's sites answer.

use offprint_model::deployment::Alias;
use offprint_model::id::DeploymentId;
use offprint_model::name::ProjectName;

/// How the sites are reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteUrls {
    /// `http` or `https`.
    pub scheme: String,
    /// The domain below which every project has its host, such as `pages.localhost`.
    pub domain: String,
    /// The port, where it is not the scheme's own.
    pub port: Option<u16>,
}

impl SiteUrls {
    /// The project's host: `<name>.<domain>`, without port (the `subdomain` of the API).
    pub fn project_host(&self, project: &ProjectName) -> String {
        format!("{project}.{}", self.domain)
    }

    /// The URL of the project's own host.
    pub fn project(&self, project: &ProjectName) -> String {
        self.url(&self.project_host(project))
    }

    /// The URL of one deployment, for ever.
    pub fn deployment(&self, project: &ProjectName, id: &DeploymentId) -> String {
        self.url(&format!("{}.{}", id.short(), self.project_host(project)))
    }

    /// The URL of another host of a deployment.
    pub fn alias(&self, project: &ProjectName, alias: &Alias) -> String {
        match alias {
            Alias::Production => self.project(project),
            Alias::Branch(label) => self.url(&format!("{label}.{}", self.project_host(project))),
            Alias::Domain(name) => self.url(name.as_str()),
        }
    }

    /// Whether a host name is the server's own or a site's below it.
    pub fn owns(&self, host: &str) -> bool {
        host.strip_suffix(self.domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    fn url(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_scheme_and_port_and_hosts_have_neither() {
        let local = SiteUrls { scheme: "http".into(), domain: "pages.localhost".into(), port: Some(8788) };
        let name = ProjectName::parse("demo").unwrap();
        let id = DeploymentId::new("0123abcd-0000-4000-8000-000000000000");
        assert_eq!(local.project_host(&name), "demo.pages.localhost");
        assert_eq!(local.deployment(&name, &id), "http://0123abcd.demo.pages.localhost:8788");
        let public = SiteUrls { scheme: "https".into(), port: None, ..local };
        assert_eq!(public.alias(&name, &Alias::Production), "https://demo.pages.localhost");
    }

    #[test]
    fn the_platforms_own_names_are_known() {
        let urls = SiteUrls { scheme: "http".into(), domain: "pages.localhost".into(), port: None };
        for own in ["pages.localhost", "x.pages.localhost", "a.x.pages.localhost"] {
            assert!(urls.owns(own), "{own}");
        }
        for other in ["localhost", "otherpages.localhost", "pages.localhost.example.com"] {
            assert!(!urls.owns(other), "{other}");
        }
    }
}
