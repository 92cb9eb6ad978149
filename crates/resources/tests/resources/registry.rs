//! Resources are made, found, renamed and deleted, and nothing is left of them.

use std::collections::BTreeMap;

use offprint_model::config::BindingKind;
use offprint_model::id::ResourceId;
use offprint_model::kv::KvKey;
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_resources::kv::KvWrite;
use offprint_resources::{CreateError, ResourceError};
use offprint_store::{Page, ResourceOrder, StoreError};

use crate::World;

#[tokio::test]
async fn names_are_unique_for_a_kind() {
    let world = World::new().await;
    for kind in ResourceKind::ALL {
        world.create(kind, "one").await;
        let name = ResourceName::parse(kind, "one").unwrap();
        let again = world.resources.create(&world.account, kind, name).await;
        assert!(matches!(again, Err(CreateError::Registry(StoreError::Exists(_)))), "{again:?}");
    }
    assert_eq!(world.files("kv").len(), 1, "no room is left for what was refused");
    assert_eq!(world.files("d1").len(), 1);
}

#[tokio::test]
async fn lists_are_by_name_or_newest_first() {
    let world = World::new().await;
    for name in ["b", "a", "c"] {
        world.create(ResourceKind::Kv, name).await;
    }
    let store = world.resources.store();
    for (order, page, expected) in [
        (ResourceOrder::Name, 1, vec!["a", "b"]),
        (ResourceOrder::Name, 2, vec!["c"]),
        (ResourceOrder::Newest, 1, vec!["c", "a"]),
    ] {
        let page = Page { page, per_page: 2 };
        let listed = store.list_resources(&world.account, ResourceKind::Kv, order, page).await.unwrap();
        let names: Vec<_> = listed.items.iter().map(|item| item.name().as_str()).collect();
        assert_eq!((names, listed.total), (expected, 3));
    }
}

#[tokio::test]
async fn a_renamed_resource_keeps_what_is_in_it() {
    let world = World::new().await;
    let resource = world.create(ResourceKind::Kv, "one").await;
    world.create(ResourceKind::Kv, "two").await;
    let key = KvKey::parse("k").unwrap();
    let put = KvWrite::Put { key: key.clone(), value: "v".into(), metadata: None, expires: None };
    world.resources.kv().write(&resource, vec![put]).await.unwrap();
    let name = |text| ResourceName::parse(ResourceKind::Kv, text).unwrap();
    let store = world.resources.store();
    assert!(matches!(
        store.rename_resource(&world.account, &resource, name("two")).await,
        Err(StoreError::Exists(_))
    ));
    let renamed = store.rename_resource(&world.account, &resource, name("three")).await.unwrap();
    assert_eq!(store.rename_resource(&world.account, &renamed, name("three")).await.unwrap(), renamed);
    assert_eq!(world.resources.kv().get(&renamed, key).await.unwrap().unwrap().value, "v");
}

#[tokio::test]
async fn what_was_deleted_is_gone_for_whoever_still_has_it() {
    let world = World::new().await;
    let resource = world.create(ResourceKind::Kv, "one").await;
    world.resources.delete(&world.account, &resource).await.unwrap();
    assert!(world.files("kv").is_empty());
    let key = || KvKey::parse("k").unwrap();
    let gone = world.resources.kv().get(&resource, key()).await;
    assert!(matches!(gone, Err(ResourceError::Gone)), "{gone:?}");
    let gone = world.resources.kv().write(&resource, vec![KvWrite::Delete(key())]).await;
    assert!(matches!(gone, Err(ResourceError::Gone)), "{gone:?}");
    assert!(world.files("kv").is_empty(), "asking makes nothing");
    let again = world.resources.delete(&world.account, &resource).await;
    assert!(matches!(again, Err(CreateError::Registry(StoreError::NotFound(_)))));
}

#[tokio::test]
async fn contents_that_a_crash_has_left_are_removed() {
    let world = World::new().await;
    let resource = world.create(ResourceKind::Kv, "one").await;
    let stray = world.directory.path().join("bindings/kv/0123456789abcdef0123456789abcdef.db");
    std::fs::copy(world.directory.path().join(format!("bindings/kv/{}.db", resource.id())), &stray).unwrap();
    world.resources.tidy(true).await.unwrap();
    assert!(!stray.exists());
    assert!(world.files("kv").iter().any(|name| name.starts_with(resource.id().as_str())));
}

#[tokio::test]
async fn a_project_reaches_what_its_account_has_and_nothing_else() {
    let world = World::new().await;
    let store = world.resources.store();
    let project = offprint_store::NewProject {
        name: offprint_model::name::ProjectName::parse("demo").unwrap(),
        production_branch: offprint_model::name::BranchName::parse("main").unwrap(),
        build_config: Default::default(),
        production: Default::default(),
        preview: Default::default(),
        source: None,
    };
    let name = project.name.clone();
    store.create_project(&world.account, project).await.unwrap();
    let (scope, _) = store.project(&world.account, &name).await.unwrap();
    let bound = |field: &str, text: &str| BTreeMap::from([(field.to_owned(), text.to_owned())]);
    let kv = world.create(ResourceKind::Kv, "one").await;
    let r2 = world.create(ResourceKind::R2, "one").await;
    let of_kv = bound("namespace_id", kv.id().as_str());
    assert_eq!(store.bound_resource(&scope, BindingKind::Kv, &of_kv).await.unwrap(), kv);
    assert_eq!(store.bound_resource(&scope, BindingKind::R2, &bound("name", "one")).await.unwrap(), r2);
    for (kind, binding) in [
        (BindingKind::Kv, bound("namespace_id", "nothing")),
        (BindingKind::Kv, BTreeMap::new()),
        (BindingKind::D1, bound("id", kv.id().as_str())),
        (BindingKind::Queue, bound("name", "one")),
    ] {
        let found = store.bound_resource(&scope, kind, &binding).await;
        assert!(matches!(found, Err(StoreError::NotFound(_))), "{kind:?} {found:?}");
    }

    // Another account's.
    let secret = || offprint_model::secret::Secret::new("another-token-0123456789".to_owned());
    let other = offprint_model::id::AccountId::new("f".repeat(32));
    store.bootstrap(Some(other.clone()), Some(secret()), "Other", "o@b.c").await.unwrap();
    let principal = store.authenticate(&secret()).await.unwrap().unwrap();
    let other = principal.scope(&other, offprint_store::Permission::Write).unwrap();
    let found = store.resource(&other, ResourceKind::Kv, &ResourceId::new(kv.id().as_str())).await;
    assert!(matches!(found, Err(StoreError::NotFound(_))));
}
