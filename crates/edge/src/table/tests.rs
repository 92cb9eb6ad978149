use super::*;
use offprint_model::asset::BlobHash;
use offprint_model::name::{AliasLabel, Hostname};

const SUFFIX: &str = ".pages.example";

fn site(name: &str) -> SiteHash {
    SiteHash::of_document(BlobHash::of(name.as_bytes()))
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

fn update(revision: u64, projects: Vec<(ProjectName, Option<ProjectRoutes>)>) -> RoutingUpdate {
    RoutingUpdate { revision, full: false, projects }
}

fn serves(name: &str, is_preview: bool) -> Route {
    Route::Site { site: site(name), is_preview }
}

#[test]
fn hosts_lead_to_production_branches_and_deployments() {
    let routes = ProjectRoutes {
        production: Some(site("live")),
        branches: vec![(AliasLabel::stored("feature"), site("branch"))],
        deployments: vec![(ShortId(0xDEAD_BEEF), Some(site("old"))), (ShortId(1), None)],
        domains: vec![Hostname::parse("www.blog.example").unwrap()],
    };
    let table = Table::default().updated(update(
        7,
        vec![(project("blog"), Some(routes)), (project("empty"), Some(ProjectRoutes::default()))],
    ));
    assert_eq!(table.revision(), 7);
    for (host, route) in [
        ("blog.pages.example", serves("live", false)),
        ("www.blog.example", serves("live", false)),
        ("feature.blog.pages.example", serves("branch", true)),
        ("deadbeef.blog.pages.example", serves("old", true)),
        ("00000001.blog.pages.example", Route::Deleted),
        ("00000002.blog.pages.example", Route::Unknown),
        ("a.feature.blog.pages.example", Route::Unknown),
        ("empty.pages.example", Route::NoProduction),
        ("x.empty.pages.example", Route::Unknown),
        ("nobody.pages.example", Route::Unknown),
        ("pages.example", Route::Unknown),
        ("other.example", Route::Unknown),
    ] {
        assert_eq!(table.route(host, SUFFIX), route, "{host}");
    }
    assert!(table.has_domain("www.blog.example") && !table.has_domain("blog.pages.example"));
}

#[test]
fn domains_move_between_projects_in_one_revision() {
    let with = |name: &str, domains: &[&str]| {
        let domains = domains.iter().map(|host| Hostname::parse(host).unwrap()).collect();
        Some(ProjectRoutes { production: Some(site(name)), domains, ..ProjectRoutes::default() })
    };
    let before = Table::default()
        .updated(update(1, vec![(project("a"), with("a", &["x.example"])), (project("b"), with("b", &[]))]));
    assert_eq!(before.route("x.example", SUFFIX), serves("a", false));
    for order in [["a", "b"], ["b", "a"]] {
        let changes =
            order.map(|name| (project(name), with(name, if name == "b" { &["x.example"] } else { &[] })));
        let after = before.updated(update(2, changes.into()));
        assert_eq!(after.route("x.example", SUFFIX), serves("b", false), "{order:?}");
    }
    let gone = before.updated(update(3, vec![(project("a"), None)]));
    assert_eq!(gone.route("x.example", SUFFIX), Route::Unknown);
    assert_eq!(gone.route("a.pages.example", SUFFIX), Route::Unknown);
    assert_eq!(before.route("x.example", SUFFIX), serves("a", false), "a table never changes");
}

#[test]
fn a_full_update_forgets_what_it_does_not_list() {
    let one = |name: &str| ProjectRoutes { production: Some(site(name)), ..ProjectRoutes::default() };
    let before = Table::default().updated(update(1, vec![(project("a"), Some(one("a")))]));
    let full = RoutingUpdate { revision: 2, full: true, projects: vec![(project("b"), Some(one("b")))] };
    let after = before.updated(full);
    assert_eq!(after.route("a.pages.example", SUFFIX), Route::Unknown);
    assert_eq!(after.route("b.pages.example", SUFFIX), serves("b", false));
}

#[test]
fn many_projects_stay_findable_through_many_updates() {
    let mut table = Table::default();
    for revision in 0..20_u64 {
        let projects = (0..100_u64)
            .map(|number| {
                let name = format!("p{}", (revision * 37 + number * 11) % 600);
                let routes = ProjectRoutes { production: Some(site(&name)), ..ProjectRoutes::default() };
                (project(&name), (number % 7 != 0).then_some(routes))
            })
            .collect::<Vec<_>>();
        let expected = projects.clone();
        table = table.updated(update(revision, projects));
        for (at, (name, routes)) in expected.iter().enumerate() {
            if expected[at + 1..].iter().any(|later| later.0 == *name) {
                continue;
            }
            let route = routes.as_ref().map_or(Route::Unknown, |_| serves(name.as_str(), false));
            assert_eq!(table.route(&format!("{name}{SUFFIX}"), SUFFIX), route);
        }
    }
}
