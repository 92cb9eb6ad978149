//! What becomes of a repository, and what its build finds in its environment.

use offprint_model::config::BuildConfigPatch;
use offprint_model::config::Patch;

use crate::house::{House, shape};

#[tokio::test(flavor = "multi_thread")]
async fn a_push_becomes_a_site() {
    let house =
        House::new(&[("make.sh", "mkdir dist && env >dist/env && echo '<h1>hi</h1>' >dist/index.html")])
            .await;
    house.settings(Some("echo building; sh make.sh"), Some("dist")).await;
    house.variable("GREETING", "hello world", false).await;
    house.variable("KEY", "correct horse", true).await;
    let hash = house.git(&["rev-parse", "HEAD"]);
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success"; 5]);
    for (name, stage) in deployment.stages.iter() {
        assert!(stage.started.is_some() && stage.ended >= stage.started, "{}", name.as_str());
    }
    assert_eq!(
        (deployment.commit.hash.as_str(), deployment.commit.message.as_str()),
        (hash.as_str(), "First")
    );
    assert_eq!(house.served("/index.html").await.as_deref(), Some("<h1>hi</h1>\n"));
    let env = house.served("/env").await.unwrap();
    let url = format!("CF_PAGES_URL=https://{}.demo.example", deployment.id.short());
    let sha = format!("CF_PAGES_COMMIT_SHA={hash}");
    for line in [
        "CI=true",
        "CF_PAGES=1",
        "CF_PAGES_BRANCH=main",
        &url,
        &sha,
        "GREETING=hello world",
        "KEY=correct horse",
    ] {
        assert!(env.lines().any(|found| found == line), "{line} in {env}");
    }
    assert!(!env.contains("GIT_"), "{env}");
    assert!(house.log(&deployment.id).await.iter().any(|line| line == "building"));
    pipeline.shutdown().await;
    house.assert_clean();
    house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_command_the_folder_is_deployed_without_gits_own() {
    let house =
        House::new(&[("index.html", "a"), ("docs/page.html", "b"), ("_headers", "/*\n  x: y\n")]).await;
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success"; 5]);
    assert_eq!(house.served("/docs/page.html").await.as_deref(), Some("b"));
    assert_eq!(house.served("/.git/HEAD").await, None);
    let log = house.log(&deployment.id).await;
    assert!(log.iter().any(|line| line == "No build command is set: nothing is built."), "{log:#?}");
    assert!(log.iter().any(|line| line == "Parsed 1 valid header rule."), "{log:#?}");
    // The same content again: nothing is stored a second time.
    let again = house.built("main").await;
    let log = house.log(&again.id).await;
    assert!(log.iter().any(|line| line.starts_with("Stored 0 of 2 assets")), "{log:#?}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_hidden_in_the_log_however_they_are_printed() {
    let house = House::new(&[("index.html", "")]).await;
    let print = "echo \"plain $KEY\"; printf %s \"user:$KEY\" | base64; printf %s $KEY | od -An -tx1 | tr -d ' \\n'; echo; \
                 head -c 40000 /dev/zero | tr '\\0' x; echo $KEY";
    house.settings(Some(print), None).await;
    house.variable("KEY", "tr0ub4dor", true).await;
    house.variable("PIN", "12", true).await;
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    let log = house.log(&deployment.id).await.join("\n");
    for form in ["tr0ub4dor", "dHIwdWI0ZG9y", "ROcjB1YjRkb3", "74723075623464", "6VyOnRyMHViNGRvc"] {
        assert!(!log.contains(form), "{form} in {log}");
    }
    assert!(log.contains("plain ***"), "{log}");
    assert!(log.contains("the secret PIN has fewer than 4 characters"), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_may_be_a_part_of_its_repository() {
    let house = House::new(&[
        ("package.json", "{"),
        ("sites/a/wrangler.toml", "pages_build_output_dir = './out'"),
        ("sites/a/.nvmrc", "6.17.1\n"),
    ])
    .await;
    let change = BuildConfigPatch {
        build_command: Patch::Set("mkdir out; pwd >out/where; echo $PATH >out/path".into()),
        root_dir: Patch::Set("/sites/a".into()),
        destination_dir: Patch::Set("elsewhere".into()),
        ..BuildConfigPatch::default()
    };
    house.build_config(change).await;
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success"; 5], "{:#?}", house.log(&deployment.id).await);
    assert!(house.served("/where").await.unwrap().ends_with("workspace/sites/a\n"));
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.contains(".nvmrc asks for Node.js 6.17.1"), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_is_built_by_its_preset_when_nothing_is_set() {
    let package =
        r#"{"dependencies": {"vue": "3"}, "scripts": {"build": "mkdir dist && echo vue >dist/index.html"}}"#;
    let house = House::new(&[("package.json", package)]).await;
    house.variable("SKIP_DEPENDENCY_INSTALL", "1", false).await;
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    let log = house.log(&deployment.id).await;
    assert_eq!(shape(&deployment), ["success"; 5], "{log:#?}");
    assert_eq!(house.served("/index.html").await.as_deref(), Some("vue\n"));
    assert!(log.iter().any(|line| line.contains("it looks like Vue")), "{log:#?}");
    assert!(log.iter().any(|line| line.starts_with("Using Node.js ")), "{log:#?}");
    assert!(log.iter().any(|line| line.starts_with("SKIP_DEPENDENCY_INSTALL is set")), "{log:#?}");
    pipeline.shutdown().await;
}
