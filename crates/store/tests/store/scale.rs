//! Sizes that must not hurt. Times are printed and bounded loosely: the machine is shared, and the build
//! is not optimised. `--nocapture` shows them.

use std::time::{Duration, Instant};

use offprint_model::asset::{AssetKey, AssetPath, KeyHasher};
use offprint_store::{Claim, NewDeployment, ProjectRoutes, Upload};
use sea_orm::ConnectionTrait;

use crate::support::{TTL, World, key_of, new_deployment, run, upload};

fn uploads(count: usize, bytes: usize, salt: &str) -> (Vec<Upload>, Vec<(AssetPath, AssetKey)>) {
    let mut uploads = Vec::with_capacity(count);
    let mut assets = Vec::with_capacity(count);
    for n in 0..count {
        let path = format!("/dir{}/file{n}.html", n % 50);
        let mut content = format!("{salt} {n} ").into_bytes();
        content.resize(bytes.max(content.len()), b'x');
        let upload = upload(&path, &content);
        assets.push((AssetPath::parse(&path).unwrap(), upload.key.clone()));
        uploads.push(upload);
    }
    (uploads, assets)
}

fn took(what: &str, since: Instant, most: Duration) {
    let took = since.elapsed();
    println!("{what}: {took:?}");
    assert!(took < most, "{what} took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_files_are_durable_soon() {
    let world = World::new().await;
    let (batch, assets) = uploads(2000, 16 * 1024, "scale");
    let start = Instant::now();
    world.store.put_assets(&world.account, batch).await.unwrap();
    took("2,000 files of 16 KiB durable", start, Duration::from_secs(20));
    let keys: Vec<AssetKey> = assets.iter().map(|(_, key)| key.clone()).collect();
    let start = Instant::now();
    assert!(world.store.missing_keys(&world.account, &keys).await.unwrap().is_empty());
    took("2,000 keys looked up", start, Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_twenty_thousand_is_a_few_statements() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let (batch, assets) = uploads(20_000, 16, "manifest");
    let start = Instant::now();
    world.store.put_assets(&world.account, batch).await.unwrap();
    took("20,000 small files durable", start, Duration::from_secs(60));
    let new = NewDeployment { assets, ..new_deployment(&project, "main", &[]) };
    for round in ["first", "unchanged"] {
        let start = Instant::now();
        let made = world.store.create_deployment(&project, new.clone()).await.unwrap();
        took(&format!("deployment of 20,000, {round}"), start, Duration::from_secs(10));
        let lease = world.claim(&made.id).await;
        let start = Instant::now();
        run(&world.store, &lease).await.unwrap();
        took(&format!("taking it live, {round}"), start, Duration::from_secs(10));
    }
    let first =
        world.store.list_deployments(&project, None, offprint_store::Page { page: 2, per_page: 1 }).await;
    let id = first.unwrap().items[0].id.clone();
    let start = Instant::now();
    world.store.rollback(&project, &id).await.unwrap();
    took("rollback of 20,000", start, Duration::from_secs(2));
    let keys: Vec<AssetKey> = new.assets.iter().map(|(_, key)| key.clone()).collect();
    let start = Instant::now();
    assert!(world.store.missing_keys(&world.account, &keys).await.unwrap().is_empty());
    took("20,000 keys looked up", start, Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn activation_is_quick_whatever_the_size() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let (batch, assets) = uploads(3000, 16, "activation");
    world.store.put_assets(&world.account, batch).await.unwrap();
    for (what, count) in [("1 asset", 1), ("3,000 assets", 3000)] {
        let mut times = Vec::new();
        for _ in 0..15 {
            let new =
                NewDeployment { assets: assets[..count].to_vec(), ..new_deployment(&project, "main", &[]) };
            let made = world.store.create_deployment(&project, new).await.unwrap();
            let lease = world.claim(&made.id).await;
            let stages = crate::support::deploying(made.stages);
            let sealed = world.store.seal(&lease).await.unwrap();
            let start = Instant::now();
            world.store.activate(sealed, &lease, crate::support::succeeded(stages)).await.unwrap();
            times.push(start.elapsed());
        }
        times.sort();
        println!("activation with {what}: p50 {:?}, most {:?}", times[7], times[14]);
        assert!(times[7] < Duration::from_millis(500));
    }
}

/// Run by hand, as below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn a_manifest_of_a_hundred_thousand_is_handled_in_seconds() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let (batch, assets) = uploads(100_000, 64, "many");
    let start = Instant::now();
    world.store.put_assets(&world.account, batch).await.unwrap();
    took("100,000 small files durable", start, Duration::from_secs(300));
    let new = NewDeployment { assets, ..new_deployment(&project, "main", &[]) };
    for round in ["first", "unchanged"] {
        let start = Instant::now();
        let made = world.store.create_deployment(&project, new.clone()).await.unwrap();
        took(&format!("deployment of 100,000, {round}"), start, Duration::from_secs(30));
        let lease = world.claim(&made.id).await;
        let start = Instant::now();
        run(&world.store, &lease).await.unwrap();
        took(&format!("taking it live, {round}"), start, Duration::from_secs(30));
    }
    let work = world.store.variant_work().await.unwrap().unwrap();
    let start = Instant::now();
    let document = world.store.load_site(&work.site).await.unwrap();
    took("reading its document", start, Duration::from_secs(5));
    let blobs: Vec<_> = document.manifest.iter().map(|(_, asset)| asset.blob).collect();
    let start = Instant::now();
    assert_eq!(world.store.blobs_without_pack(blobs).await.unwrap().len(), 100_000);
    took("looking for its packs", start, Duration::from_secs(20));
    let keys: Vec<AssetKey> = new.assets.iter().map(|(_, key)| key.clone()).collect();
    let start = Instant::now();
    assert!(world.store.missing_keys(&world.account, &keys).await.unwrap().is_empty());
    took("100,000 keys looked up", start, Duration::from_secs(20));
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Run by hand and alone, as below: the peak is that of the whole process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures the memory of the process"]
async fn an_asset_of_a_hundred_mebibytes_is_held_once() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let content: Vec<u8> =
        (0..100u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let (key, key_hasher) = (key_of("/big.bin", &content), KeyHasher::of_bytes(&content));
    let content_type = "application/octet-stream".to_owned();
    let files = vec![(AssetPath::parse("/big.bin").unwrap(), key.clone())];
    let uploaded = Upload { key, bytes: content.into(), content_type, key_hasher };
    let before = peak();
    let start = Instant::now();
    world.store.put_assets(&world.account, vec![uploaded]).await.unwrap();
    took("100 MiB durable", start, Duration::from_secs(60));
    let new = NewDeployment { assets: files, ..new_deployment(&project, "main", &[]) };
    let start = Instant::now();
    let made = world.store.create_deployment(&project, new).await.unwrap();
    let lease = world.claim(&made.id).await;
    run(&world.store, &lease).await.unwrap();
    took("taking it live", start, Duration::from_secs(20));
    println!("peak {} MiB, {before} MiB of it before", peak());
    assert!(peak() - before < 50, "it was copied");
}

/// Copies of a project with three deployments, written past the store: making them properly takes minutes.
const COPY_PROJECTS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 100998)
    INSERT INTO project (seq, id, account_seq, name, production_branch, created, build_config, production, preview)
        SELECT i, 'id' || i, account_seq, 'p' || i, production_branch, created, build_config, production, preview
        FROM project, n WHERE project.name = 'demo';
    INSERT INTO deployment SELECT p.seq * 10 + row_number() OVER (PARTITION BY p.seq ORDER BY d.seq),
        p.seq || d.id, short, p.seq, build_seq, site_id, environment, branch, label, d.production_branch,
        commit_hash, commit_message, commit_dirty, cause, d.created, modified, stages, ended, activated, skipped,
        d.build_config, config, d.source, uses_functions, deleted
        FROM deployment d, project p WHERE p.seq >= 1000 AND d.project_seq <> p.seq AND d.seq < 10000;
    UPDATE project SET canonical = seq * 10 + 3 WHERE seq >= 1000;
    INSERT INTO predecessor SELECT project_seq, '', seq, created FROM deployment
        WHERE project_seq >= 1000 AND seq % 10 < 3;";

/// Run by hand, as below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn predecessors_of_a_hundred_thousand_projects_are_read_soon() {
    let world = World::new().await;
    let project = world.project("demo").await;
    for text in ["1", "2", "3"] {
        world.deploy(&project, "main", &[("/a.html", text)]).await;
    }
    world.metadata().await.execute_unprepared(COPY_PROJECTS).await.unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        let update = world.store.routing_since(0).await.unwrap();
        took("all routes with 200,000 predecessors", start, Duration::from_secs(20));
        assert_eq!(update.projects.len(), 100_000);
        let predecessors = |routes: &Option<ProjectRoutes>| routes.as_ref().unwrap().predecessors.len();
        assert!(update.projects.iter().all(|(_, routes)| predecessors(routes) == 2));
    }
}

/// Run by hand: `--ignored`. Making the projects takes longer than reading them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_hundred_thousand_projects_are_read_and_listed() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..4 {
        let (store, account) = (world.store.clone(), world.account.clone());
        tasks.spawn(async move {
            for n in 0..25_000 {
                store
                    .create_project(&account, crate::support::new_project(&format!("p{part}-{n}")))
                    .await
                    .unwrap();
            }
        });
    }
    tasks.join_all().await;
    for n in 0..2000 {
        let (project, _) = world.lookup(&format!("p0-{n}")).await;
        world.create(&project, "main", &[("/a.html", "same")]).await;
    }
    while let Some(lease) = world.store.claim_upload("w", TTL).await.unwrap() {
        run(&world.store, &lease).await.unwrap();
    }
    for _ in 0..3 {
        let start = Instant::now();
        let update = world.store.routing_since(0).await.unwrap();
        took("all routes", start, Duration::from_secs(20));
        assert_eq!(update.projects.len(), 100_000);
    }
    for page in [1, 5000, 10_000] {
        let start = Instant::now();
        let page = offprint_store::Page { page, per_page: 10 };
        assert_eq!(world.store.list_projects(&world.account, page).await.unwrap().items.len(), 10);
        took(&format!("page {} of projects", page.page), start, Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_of_builds_is_claimed_from_soon() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let start = Instant::now();
    for n in 0..1500 {
        world.push(&project, &format!("branch-{n}"), "1").await;
    }
    took("1,500 pushes", start, Duration::from_secs(60));
    let start = Instant::now();
    for _ in 0..20 {
        world
            .store
            .claim_build("w", TTL, Some(100))
            .await
            .unwrap()
            .and_then(Claim::deployment)
            .expect("a build");
    }
    took("20 builds claimed of 1,500", start, Duration::from_secs(5));
}
