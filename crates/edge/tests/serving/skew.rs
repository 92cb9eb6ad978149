//! Assets of earlier deployments: skew protection, and asset preservation when strict.

use std::time::Duration;

use offprint_edge::EdgeOptions;

use crate::house::{Content, House, get};

const OLD: &[(&str, &str)] = &[
    ("/index.html", "old"),
    ("/about.html", "an old page"),
    ("/assets/app.8f3c2a1b.js", "old script"),
    ("/assets/style.css", "old style"),
];
const NEW: &[(&str, &str)] = &[("/index.html", "new"), ("/assets/app.0d1e2f3a.js", "new script")];

#[tokio::test]
async fn fingerprinted_assets_outlive_their_deployment() {
    let house = House::open().await;
    let project = house.project("site").await;
    let old = house.deploy(&project, "main", &Content::of(OLD)).await;
    house
        .deploy(
            &project,
            "main",
            &Content { headers: Some("/assets/*\n X-New: yes".into()), ..Content::of(NEW) },
        )
        .await;
    let edge = house.edge().await;

    let kept = get(&edge, "site.pages.dev", "/assets/app.8f3c2a1b.js").await;
    assert_eq!((kept.status, &kept.body[..]), (200, &b"old script"[..]));
    assert_eq!(kept.headers["x-offprint-earlier-deployment"], old.id.short());
    assert_eq!(kept.headers["cache-control"], "public, s-maxage=604800");
    assert_eq!(kept.headers["x-robots-tag"], "noindex");
    assert_eq!(kept.headers["x-new"], "yes", "the rules of the live deployment hold");

    // What the live deployment has is never taken from an earlier one, nor is what was removed on purpose.
    assert_eq!(get(&edge, "site.pages.dev", "/").await.body, "new");
    for gone in ["/about", "/about.html", "/assets/style.css", "/assets/app.ffffffff.js"] {
        let answer = get(&edge, "site.pages.dev", gone).await;
        // The site has an index and no 404 page: a single-page app.
        assert_eq!((answer.status, &answer.body[..]), (200, &b"new"[..]), "{gone}");
        assert!(!answer.headers.contains_key("x-offprint-earlier-deployment"), "{gone}");
    }
    // A deployment's own address never changes.
    let own = get(&edge, &format!("{}.site.pages.dev", old.id.short()), "/assets/app.8f3c2a1b.js").await;
    assert!(own.body == "old script" && !own.headers.contains_key("x-offprint-earlier-deployment"));
}

#[tokio::test]
async fn a_deleted_deployment_leaves_nothing_behind() {
    let house = House::open().await;
    let project = house.project("site").await;
    let old = house.deploy(&project, "main", &Content::of(OLD)).await;
    house.deploy(&project, "main", &Content::of(NEW)).await;
    let edge = house.edge().await;
    assert_eq!(get(&edge, "site.pages.dev", "/assets/app.8f3c2a1b.js").await.body, "old script");
    house.store.delete_deployment(&project, &old.id, true).await.unwrap();
    edge.refresh().await.unwrap();
    assert_eq!(get(&edge, "site.pages.dev", "/assets/app.8f3c2a1b.js").await.body, "new");
}

#[tokio::test]
async fn branches_have_their_own_past() {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &Content::of(OLD)).await;
    house.deploy(&project, "next", &Content::of(NEW)).await;
    house.deploy(&project, "next", &Content::of(&[("/index.html", "newer")])).await;
    let edge = house.edge().await;
    let branch = |path: &'static str| get(&edge, "next.site.pages.dev", path);
    assert_eq!(branch("/assets/app.0d1e2f3a.js").await.body, "new script");
    assert_eq!(branch("/assets/app.8f3c2a1b.js").await.body, "newer", "that was production's");
}

#[tokio::test]
async fn the_time_runs_out() {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &Content::of(OLD)).await;
    house.deploy(&project, "main", &Content::of(NEW)).await;
    for skew_protection in [Duration::ZERO, Duration::from_micros(1)] {
        let edge = house.edge_with(EdgeOptions { skew_protection, ..EdgeOptions::new("pages.dev") }).await;
        assert_eq!(get(&edge, "site.pages.dev", "/assets/app.8f3c2a1b.js").await.body, "new");
    }
}

#[tokio::test]
async fn strict_preserves_whatever_was_served() {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &Content::of(OLD)).await;
    house.deploy(&project, "main", &Content::of(NEW)).await;
    let edge = house.strict_edge().await;
    for (path, body) in [
        ("/about", "an old page"),
        ("/assets/style.css", "old style"),
        ("/assets/app.8f3c2a1b.js", "old script"),
    ] {
        let kept = get(&edge, "site.pages.dev", path).await;
        assert_eq!((kept.status, &kept.body[..]), (200, body.as_bytes()), "{path}");
        assert_eq!(kept.headers["cache-control"], "public, s-maxage=604800", "{path}");
        assert_eq!(kept.headers["x-robots-tag"], "noindex", "{path}");
        assert!(!kept.headers.contains_key("x-offprint-earlier-deployment"), "{path}");
    }
    // Redirects are not preserved.
    assert_eq!(get(&edge, "site.pages.dev", "/about.html").await.body, "new");
}
