use super::*;
use offprint_model::asset::BlobHash;
use offprint_model::name::{AliasLabel, Hostname};
use offprint_store::{Predecessor, RoutedDeployment, SiteHash};

const SUFFIX: &str = ".pages.example";

fn site(name: &str) -> SiteHash {
    SiteHash::of_document(BlobHash::of(name.as_bytes()))
}

/// A deployment of that site.
fn routed(deployment: u32, name: &str) -> RoutedDeployment {
    RoutedDeployment { deployment: ShortId(deployment), site: site(name) }
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

fn update(revision: u64, projects: Vec<(ProjectName, Option<ProjectRoutes>)>) -> RoutingUpdate {
    RoutingUpdate { revision, full: false, projects }
}

/// A table and the slots that its revisions share.
#[derive(Default)]
struct House {
    table: Table,
    slots: SiteSlots,
}

impl House {
    fn update(&mut self, update: RoutingUpdate) {
        self.table = self.table.updated(update, &mut self.slots);
    }

    /// Where a host leads, in words.
    fn route(&mut self, host: &str) -> String {
        match self.table.route(host, SUFFIX) {
            Route::Site(route) => {
                let kind = if route.is_preview { "preview" } else { "production" };
                format!("{kind} {:?}", route.site.hash())
            }
            Route::Deleted => "deleted".to_owned(),
            Route::NoProduction => "no production".to_owned(),
            Route::Unknown => "unknown".to_owned(),
        }
    }
}

fn serves(name: &str, is_preview: bool) -> String {
    format!("{} {:?}", if is_preview { "preview" } else { "production" }, site(name))
}

#[test]
fn hosts_lead_to_production_branches_and_deployments() {
    let routes = ProjectRoutes {
        production: Some(routed(5, "live")),
        branches: vec![(AliasLabel::stored("feature"), routed(6, "branch"))],
        deployments: vec![(ShortId(0xDEAD_BEEF), Some(site("old"))), (ShortId(1), None)],
        domains: vec![Hostname::parse("www.blog.example").unwrap()],
        predecessors: Vec::new(),
    };
    let mut house = House::default();
    house.update(update(
        7,
        vec![(project("blog"), Some(routes)), (project("empty"), Some(ProjectRoutes::default()))],
    ));
    assert_eq!(house.table.revision(), 7);
    for (host, route) in [
        ("blog.pages.example", serves("live", false)),
        ("www.blog.example", serves("live", false)),
        ("feature.blog.pages.example", serves("branch", true)),
        ("deadbeef.blog.pages.example", serves("old", true)),
        ("00000001.blog.pages.example", "deleted".to_owned()),
        ("00000002.blog.pages.example", "unknown".to_owned()),
        ("a.feature.blog.pages.example", "unknown".to_owned()),
        ("empty.pages.example", "no production".to_owned()),
        ("x.empty.pages.example", "unknown".to_owned()),
        ("nobody.pages.example", "unknown".to_owned()),
        ("pages.example", "unknown".to_owned()),
        ("other.example", "unknown".to_owned()),
    ] {
        assert_eq!(house.route(host), route, "{host}");
    }
    assert!(house.table.has_domain("www.blog.example") && !house.table.has_domain("blog.pages.example"));
}

#[test]
fn domains_move_between_projects_in_one_revision() {
    let with = |name: &str, domains: &[&str]| {
        let domains = domains.iter().map(|host| Hostname::parse(host).unwrap()).collect();
        Some(ProjectRoutes { production: Some(routed(1, name)), domains, ..ProjectRoutes::default() })
    };
    let mut house = House::default();
    house.update(update(1, vec![(project("a"), with("a", &["x.example"])), (project("b"), with("b", &[]))]));
    assert_eq!(house.route("x.example"), serves("a", false));
    let before = house.table.clone();
    for order in [["a", "b"], ["b", "a"]] {
        let changes =
            order.map(|name| (project(name), with(name, if name == "b" { &["x.example"] } else { &[] })));
        house.table = before.clone();
        house.update(update(2, changes.into()));
        assert_eq!(house.route("x.example"), serves("b", false), "{order:?}");
    }
    house.table = before.clone();
    house.update(update(3, vec![(project("a"), None)]));
    assert_eq!(house.route("x.example"), "unknown");
    assert_eq!(house.route("a.pages.example"), "unknown");
    house.table = before;
    assert_eq!(house.route("x.example"), serves("a", false), "a table never changes");
}

#[test]
fn a_full_update_forgets_what_it_does_not_list() {
    let one = |name: &str| ProjectRoutes { production: Some(routed(1, name)), ..ProjectRoutes::default() };
    let mut house = House::default();
    house.update(update(1, vec![(project("a"), Some(one("a")))]));
    house.update(RoutingUpdate { revision: 2, full: true, projects: vec![(project("b"), Some(one("b")))] });
    assert_eq!(house.route("a.pages.example"), "unknown");
    assert_eq!(house.route("b.pages.example"), serves("b", false));
}

#[test]
fn many_projects_stay_findable_through_many_updates() {
    let mut house = House::default();
    for revision in 0..20_u64 {
        let projects = (0..100_u64)
            .map(|number| {
                let name = format!("p{}", (revision * 37 + number * 11) % 600);
                let routes = ProjectRoutes { production: Some(routed(1, &name)), ..ProjectRoutes::default() };
                (project(&name), (number % 7 != 0).then_some(routes))
            })
            .collect::<Vec<_>>();
        let expected = projects.clone();
        house.update(update(revision, projects));
        for (at, (name, routes)) in expected.iter().enumerate() {
            if expected[at + 1..].iter().any(|later| later.0 == *name) {
                continue;
            }
            let route = routes.as_ref().map_or("unknown".to_owned(), |_| serves(name.as_str(), false));
            assert_eq!(house.route(&format!("{name}{SUFFIX}")), route);
        }
    }
}

#[test]
fn a_host_knows_what_it_led_to_before() {
    let at = Timestamp::from_micros;
    let before = |label: Option<&str>, name: &str, retired: i64| Predecessor {
        label: label.map(AliasLabel::stored),
        deployment: ShortId(retired as u32),
        site: site(name),
        retired: at(retired),
    };
    let routes = ProjectRoutes {
        production: Some(routed(5, "live")),
        branches: vec![(AliasLabel::stored("feature"), routed(6, "branch"))],
        deployments: vec![(ShortId(0xDEAD_BEEF), Some(site("live")))],
        domains: Vec::new(),
        predecessors: vec![
            before(None, "second", 20),
            before(Some("feature"), "old branch", 15),
            before(None, "first", 10),
        ],
    };
    let mut house = House::default();
    house.update(update(1, vec![(project("blog"), Some(routes))]));
    for (host, since, expected) in [
        ("blog.pages.example", 0, &[20, 10][..]),
        ("blog.pages.example", 11, &[20]),
        ("feature.blog.pages.example", 0, &[15]),
        ("deadbeef.blog.pages.example", 0, &[]),
    ] {
        let Route::Site(route) = house.table.route(host, SUFFIX) else { panic!("{host}") };
        let found: Vec<u32> = route.earlier_since(at(since)).map(|earlier| earlier.deployment.0).collect();
        assert_eq!(found, expected, "{host} since {since}");
    }
}

#[test]
fn a_route_names_its_deployment_and_a_deployment_is_found_by_it() {
    let deployments = [(5, "live"), (6, "branch"), (7, "old"), (8, "gone")]
        .map(|(short, name)| (ShortId(short), (name != "gone").then(|| site(name))));
    let routes = ProjectRoutes {
        production: Some(routed(5, "live")),
        branches: vec![(AliasLabel::stored("feature"), routed(6, "branch"))],
        deployments: deployments.into(),
        domains: vec![Hostname::parse("www.blog.example").unwrap()],
        predecessors: vec![Predecessor {
            label: None,
            deployment: ShortId(7),
            site: site("old"),
            retired: Timestamp::from_micros(1),
        }],
    };
    let mut house = House::default();
    house.update(update(1, vec![(project("blog"), Some(routes))]));
    let (table, blog) = (&house.table, project("blog"));
    for (host, deployment) in [
        ("blog.pages.example", 5),
        ("www.blog.example", 5),
        ("feature.blog.pages.example", 6),
        ("00000007.blog.pages.example", 7),
    ] {
        let Route::Site(route) = table.route(host, SUFFIX) else { panic!("{host}") };
        assert_eq!((route.deployment.0, table.project_of(host, SUFFIX)), (deployment, "blog"), "{host}");
    }
    // Whichever host the request names, the deployment it comes from is the one that is served.
    for (deployment, host, expected) in [
        (5, "blog.pages.example", Some(("live", false, true))),
        (5, "www.blog.example", Some(("live", false, true))),
        (5, "feature.blog.pages.example", Some(("live", true, false))),
        (6, "feature.blog.pages.example", Some(("branch", true, true))),
        (7, "blog.pages.example", Some(("old", false, false))),
        (7, "x.y.pages.example", Some(("old", true, false))),
        (7, "assets", Some(("old", false, false))),
        (8, "blog.pages.example", None),
        (9, "blog.pages.example", None),
    ] {
        let key = DeploymentKey { project: blog.clone(), deployment: ShortId(deployment) };
        let found = match table.route_to(&key, host, SUFFIX) {
            Route::Site(route) => {
                let name =
                    ["live", "branch", "old"].into_iter().find(|name| *route.site.hash() == site(name));
                Some((name.unwrap(), route.is_preview, route.has_earlier()))
            }
            _ => None,
        };
        assert_eq!(found, expected, "{deployment} at {host}");
    }
    let elsewhere = DeploymentKey { project: project("nobody"), deployment: ShortId(5) };
    assert!(matches!(table.route_to(&elsewhere, "blog.pages.example", SUFFIX), Route::Unknown));
}

#[test]
fn deployments_of_the_same_content_share_a_slot() {
    let mut slots = SiteSlots::default();
    let slot = slots.of(site("a"));
    assert!(Arc::ptr_eq(&slot, &slots.of(site("a"))));
    assert!(!Arc::ptr_eq(&slot, &slots.of(site("b"))));
}
