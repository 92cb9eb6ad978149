use super::*;

fn url(text: &str) -> CloneUrl {
    CloneUrl::parse(text).unwrap_or_else(|rule| panic!("{text}: {rule}"))
}

fn source(kind: SourceKind, clone_url: Option<&str>) -> Source {
    Source { clone_url: clone_url.map(url), ..Source::new(kind, "cedar", "site") }
}

#[test]
fn the_parts_of_a_clone_url_are_found() {
    use CloneScheme::{Http, Https, Local, Ssh};
    for (text, scheme, host, path, owner_and_name) in [
        ("https://git.example.com/cedar/site.git", Https, Some("git.example.com"), None, ("cedar", "site")),
        ("http://127.0.0.1:3000/cedar/site", Http, Some("127.0.0.1"), None, ("cedar", "site")),
        ("ssh://git@host:2222/a/b/site.git/", Ssh, Some("host"), None, ("a/b", "site")),
        ("git@example.com:cedar/site.git", Ssh, Some("example.com"), None, ("cedar", "site")),
        ("git@example.com:site", Ssh, Some("example.com"), None, ("", "site")),
        ("file:///srv/git/my site.git", Local, None, Some("/srv/git/my site.git"), ("srv/git", "my site")),
        ("/srv/a@b:c/site", Local, None, Some("/srv/a@b:c/site"), ("srv/a@b:c", "site")),
        ("/srv/ö%20.git", Local, None, Some("/srv/ö%20.git"), ("srv", "ö%20")),
    ] {
        let url = url(text);
        assert_eq!((url.scheme(), url.host(), url.local_path()), (scheme, host, path), "{text}");
        assert_eq!((url.owner_and_name(), url.as_str()), (owner_and_name, text));
    }
}

#[test]
fn what_git_or_ssh_could_misread_is_no_clone_url() {
    let long = format!("https://host/{}", "a".repeat(2048));
    for (text, rule) in [
        ("", "1 to 2048 bytes"),
        (&*long, "1 to 2048 bytes"),
        ("--upload-pack=/bin/sh", "begins with a dash"),
        ("ssh://-oProxyCommand=x/y", "its host holds"),
        ("ssh://-host/y", "begins with a dash"),
        ("ssh://-user@host/y", "begins with a dash"),
        ("git@host:-y", "begins with a dash"),
        ("ext::sh -c x", "visible ASCII"),
        ("ext::sh", "it begins with https"),
        ("git://host/site", "it begins with https"),
        ("HTTPS://host/site", "it begins with https"),
        ("file://host/site", "it begins with https"),
        ("file:///srv/%2e%2e/site", "percent"),
        ("site.git", "it begins with https"),
        ("host:site.git", "it begins with https"),
        ("https://", "its host"),
        ("https://host", "names a repository"),
        ("https://host/", "names a repository"),
        ("https://host/.git", "names a repository"),
        ("/", "names a repository"),
        ("https://user@host/site", "credentials"),
        ("https://user:pw@host/site", "credentials"),
        ("ssh://git:pw@host/site", "credentials"),
        ("https://host/a?b", "visible ASCII"),
        ("https://host/a b", "visible ASCII"),
        ("https://host/a\nb", "visible ASCII"),
        ("https://ho_st/a", "its host"),
        ("https://host:0/a", "its port"),
        ("https://host:x/a", "its port"),
        ("https://host:+1/a", "its port"),
        ("https://host:99999/a", "its port"),
        ("ssh://g it@host/a", "visible ASCII"),
        ("ssh://g$it@host/a", "its user"),
        ("https://host/a/../b", "segment"),
        ("/srv/../etc", "segment"),
        ("/srv/a\0b", "control"),
    ] {
        let refused = CloneUrl::parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(refused.0.contains(rule), "{text}: {refused}");
    }
}

#[test]
fn a_source_knows_where_it_is_cloned_from_and_where_the_api_is() {
    use SourceKind::{Forgejo, Git, Gitea, Github, Gitlab};
    for (kind, own, clone, api) in [
        (Github, None, "https://github.com/cedar/site.git", Some("https://api.github.com")),
        (Gitlab, None, "https://gitlab.com/cedar/site.git", Some("https://gitlab.com/api/v4")),
        (
            Github,
            Some("git@github.com:cedar/site"),
            "git@github.com:cedar/site",
            Some("https://api.github.com"),
        ),
        (Github, Some("https://ghe/c/s"), "https://ghe/c/s", Some("https://ghe/api/v3")),
        (Gitlab, Some("https://gl:8443/a/b/c"), "https://gl:8443/a/b/c", Some("https://gl:8443/api/v4")),
        (Forgejo, Some("http://f:3000/c/s.git"), "http://f:3000/c/s.git", Some("http://f:3000/api/v1")),
        (Gitea, Some("https://g/code/c/s"), "https://g/code/c/s", Some("https://g/code/api/v1")),
        (Gitea, Some("ssh://git@g:22/c/s"), "ssh://git@g:22/c/s", Some("https://g/api/v1")),
        (Gitea, Some("/srv/c/s"), "/srv/c/s", None),
        (Git, Some("https://g/c/s"), "https://g/c/s", None),
    ] {
        let source = source(kind, own);
        assert_eq!(source.clone_url().unwrap().as_str(), clone);
        assert_eq!(source.api_url().as_deref(), api, "{clone}");
    }
    let own = Source { api_url: Some("https://api.example.com/".into()), ..source(Git, Some("/srv/s")) };
    assert_eq!(own.api_url().as_deref(), Some("https://api.example.com"));
    let unusable = Source { owner: "a/../b".into(), ..source(Github, None) };
    assert_eq!(unusable.clone_url(), None);
}

#[test]
fn an_api_url_is_http_and_may_have_a_path() {
    for good in ["https://git.example.com", "http://127.0.0.1:3000/api/v1", "https://a/b/"] {
        assert_eq!(check_api_url(good), Ok(()), "{good}");
    }
    for bad in ["", "ftp://a", "ssh://git@a/b", "/srv", "https://u@a", "https://a?b", "https://a/../b", "a"] {
        assert!(check_api_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_change_may_repeat_the_repository_and_not_change_it() {
    let mut source = source(SourceKind::Github, None);
    let same = SourcePatch {
        kind: Some(SourceKind::Github),
        owner: Some("cedar".into()),
        clone_url: Some(url("https://github.com/cedar/site.git")),
        api_url: Patch::Set("https://ghe/api/v3".into()),
        poll: Some(true),
        ..SourcePatch::default()
    };
    assert_eq!(source.apply(same), Ok(()));
    assert!(source.poll && !source.lfs);
    assert_eq!(source.api_url.as_deref(), Some("https://ghe/api/v3"));
    let others = [
        SourcePatch { kind: Some(SourceKind::Git), ..SourcePatch::default() },
        SourcePatch { repo_name: Some("other".into()), ..SourcePatch::default() },
        SourcePatch { clone_url: Some(url("/srv/site")), lfs: Some(true), ..SourcePatch::default() },
    ];
    for other in others {
        assert_eq!(source.apply(other), Err(SourceFixed));
    }
    assert!(!source.lfs, "a refused change changes nothing");
}
