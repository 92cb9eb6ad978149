//! Functions of sites that are built from git: compiled in the sandbox into what a direct upload of wrangler brings.

use std::collections::BTreeMap;

use offprint_model::name::ProjectName;
use offprint_store::{ShortId, Store, StoreOptions, WorkerKind};
use offprint_wire::worker_bundle;
use offprint_wire::worker_configuration::Metadata;
use serde_json::{Value, json};

use super::{DEMO, Ground, HOST};
use crate::support::{GitServer, Peers, Release, Repository, Wrangler, host_of, project, projects, testdata};

/// A server that builds and runs Functions, or `None` where something for that is missing.
pub(crate) async fn ground(settings: &[(&str, &str)]) -> Option<Ground> {
    let peers = Peers::find()?;
    let (workerd, wrangler) = (peers.workerd(), peers.wrangler_package());
    let functions = [
        ("OFFPRINT_FUNCTIONS", "workerd"),
        ("OFFPRINT_WORKERD", workerd.to_str().unwrap()),
        ("OFFPRINT_WRANGLER", wrangler.to_str().unwrap()),
    ];
    Ground::start_with(&[&functions, settings].concat()).await
}

/// A site of TypeScript with middleware, a parameter, and a package of npm.
pub(crate) const SITE: [(&str, &str); 6] = [
    ("index.html", "<h1>static</h1>"),
    ("_headers", "/*\n  x-static: yes\n"),
    (
        "functions/api/_middleware.ts",
        "export const onRequest: PagesFunction = async ({ next }) => {
            const answer = await next();
            answer.headers.set('x-middleware', 'yes');
            return answer;
        };",
    ),
    (
        "functions/api/hello/[name].ts",
        "import Mustache from 'mustache';
        import { greeting } from '../../../lib/greeting';
        export const onRequestGet: PagesFunction<{ WHO?: string }> = ({ params, env }) =>
            new Response(Mustache.render('{{greeting}} {{name}} {{who}}', { greeting, name: params.name, who: env.WHO }));",
    ),
    ("functions/api/boom.js", "export function onRequest() { throw new Error('kaputt'); }"),
    ("lib/greeting.ts", "export const greeting: string = 'hello';"),
];
pub(crate) const BUILD: &str = "mkdir dist && cp index.html _headers dist";

fn repository(git: &GitServer, files: &[(&str, &str)]) -> Repository {
    let repository = git.repository("site");
    for (name, content) in files {
        repository.write(name, content);
    }
    repository
}

/// With the package that the site needs.
fn with_packages(repository: &Repository) {
    for name in ["package.json", "package-lock.json"] {
        repository.write(name, std::fs::read(testdata("builds/npm-site").join(name)).unwrap());
    }
}

/// What is stored of a deployment's Functions, without what is different in every bundle of the same.
#[derive(Debug, PartialEq)]
struct Stored {
    /// Media type and source by name.
    modules: BTreeMap<String, (String, String)>,
    metadata: Metadata,
    routes: Value,
    routing: Value,
}

/// Digits of chance in the names of modules, and directories in comments.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("0.") {
            settled.push_str(before);
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            settled.push_str(if digits > 8 { "N" } else { "0." });
            rest = if digits > 8 { &after[digits..] } else { after };
        }
        settled.push_str(rest);
        settled.push('\n');
    }
    settled
}

async fn stored(ground: &Ground, project: &str, deployment: &Value) -> Stored {
    let store = Store::open(StoreOptions::new(ground.server.data())).await.unwrap();
    let short = ShortId::parse(&deployment["id"].as_str().unwrap()[..8]).unwrap();
    let found = store.functions_of(&ProjectName::parse(project).unwrap(), short).await.unwrap();
    let worker = found.document.worker.expect("the deployment has a Worker");
    assert_eq!(worker.kind, WorkerKind::Bundle);
    let bytes = store.blobs().read(&worker.blob).await.unwrap();
    let bundle = worker_bundle::read(&bytes).unwrap();
    let module = |module: &worker_bundle::Module<'_>| {
        let source = String::from_utf8_lossy(module.body).into_owned();
        (settled(module.name).trim().to_owned(), (module.content_type.to_owned(), settled(&source)))
    };
    let json = |text: Option<&str>| text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
    let routing = match &found.document.functions_routing {
        Some(blob) => String::from_utf8(store.blobs().read(blob).await.unwrap().to_vec()).ok(),
        None => None,
    };
    let mut metadata = bundle.metadata.clone();
    metadata.main_module = settled(&metadata.main_module).trim().to_owned();
    Stored {
        modules: bundle.modules.iter().map(module).collect(),
        metadata,
        routes: json(found.document.routes.as_deref()),
        routing: json(routing.as_deref()),
    }
}

#[tokio::test]
async fn a_build_stores_what_wrangler_uploads_and_both_answer_alike() {
    let Some(ground) = ground(&[]).await else { return };
    let repository = repository(&ground.git, &SITE);
    with_packages(&repository);
    ground.connect(&repository, json!({ "build_command": BUILD, "destination_dir": "dist" })).await;
    let id = ground.push(&repository, "main", "with Functions").await;
    let built = ground.live(&id).await;
    let log = ground.log(&id).await;
    assert!(log.contains("Compiling functions/ with wrangler 4.86.0."), "{log}");
    assert_eq!(built["uses_functions"], true);

    let Some(wrangler) = Wrangler::new(Release::Pinned, &ground.server).await else { return };
    ground.api.post(&projects()).json(&json!({ "name": "upload", "production_branch": "main" })).ok().await;
    for (name, content) in SITE {
        wrangler.directory.write(name, content);
    }
    for name in ["index.html", "_headers"] {
        wrangler.directory.write(&format!("dist/{name}"), wrangler.directory.read(name));
    }
    wrangler.directory.write("node_modules/mustache/package.json", installed("package.json"));
    for name in ["mustache.js", "mustache.mjs"] {
        wrangler.directory.write(&format!("node_modules/mustache/{name}"), installed(name));
    }
    let ran = wrangler.run(&["pages", "deploy", "dist", "--project-name", "upload"]).await;
    let uploaded = ran.deployment().clone();

    let (of_build, of_upload) =
        (stored(&ground, DEMO, &built).await, stored(&ground, "upload", &uploaded).await);
    assert_eq!(of_build, of_upload);
    assert_eq!(of_build.routes["include"], json!(["/api/*"]));
    for path in ["/", "/api/hello/you", "/api/boom", "/api/none", "/absent"] {
        let mut answers = Vec::new();
        for host in [HOST, "upload.pages.localhost"] {
            let answer = ground.server.site(host, path).await;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let headers = ["x-middleware", "x-static", "content-type"].map(|name| headers.get(name).cloned());
            answers.push((status, headers, answer.text().await.unwrap()));
        }
        assert_eq!(answers[0], answers[1], "{path}");
    }
    assert_eq!(ground.server.page(HOST, "/api/hello/you").await, "hello you ");
}

/// A file of the package that the site needs, as npm has it.
fn installed(name: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(testdata("builds/npm-site").join(name), directory.path().join(name)).unwrap();
    }
    let npm = std::process::Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    std::fs::read(directory.path().join("node_modules/mustache").join(name)).unwrap()
}

#[tokio::test]
async fn a_mistake_in_a_function_fails_the_build_with_the_compilers_words() {
    let Some(ground) = ground(&[]).await else { return };
    let files = [("index.html", "static"), ("functions/api.ts", "export const onRequest = (=> 1;\n")];
    let repository = repository(&ground.git, &files);
    ground.connect(&repository, json!({})).await;
    let id = ground.push(&repository, "main", "broken").await;
    let log = ground.failed(&id, "build").await;
    assert!(log.contains("functions/api.ts:1:") || log.contains("api.ts:1:"), "{log}");
    assert!(log.contains("Compiling functions/ ended with exit code 1."), "{log}");
    assert_eq!(ground.server.site(HOST, "/").await.status(), 404);
}

#[tokio::test]
async fn without_wrangler_the_build_fails_and_says_what_to_do() {
    let Some(ground) = ground(&[("OFFPRINT_WRANGLER", "/nowhere/wrangler")]).await else { return };
    let files =
        [("index.html", "static"), ("functions/api.js", "export const onRequest = () => new Response('x');")];
    let repository = repository(&ground.git, &files);
    ground.connect(&repository, json!({})).await;
    let id = ground.push(&repository, "main", "first").await;
    let log = ground.failed(&id, "build").await;
    assert!(
        log.contains("The site has Functions (functions/), and this server cannot compile them"),
        "{log}"
    );
    assert!(log.contains("/nowhere/wrangler cannot be used"), "{log}");
    // A Worker of one module needs no compiler.
    repository.remove("functions");
    repository.write("_worker.js", "export default { fetch: () => new Response('as it is') };");
    let id = ground.push(&repository, "main", "second").await;
    ground.live(&id).await;
    assert!(ground.log(&id).await.contains("Warning: _worker.js is taken as it is"));
    ground.server.shows(HOST, "as it is").await;
}

#[tokio::test]
async fn the_wrangler_file_sets_each_environment() {
    let Some(ground) = ground(&[]).await else { return };
    let file = "name = 'demo'\npages_build_output_dir = 'public'\ncompatibility_date = '2026-01-15'\n\
        compatibility_flags = ['nodejs_compat']\n[vars]\nWHO = 'production'\n\
        [[kv_namespaces]]\nbinding = 'KV'\nid = '0123456789abcdef0123456789abcdef'\n\
        [env.preview.vars]\nWHO = 'preview'\n";
    let who = "import { Buffer } from 'node:buffer';
        export const onRequest = ({ env }) => new Response(Buffer.from(env.WHO + ' ' + ('KV' in env)).toString());";
    let files = [("wrangler.toml", file), ("public/index.html", "static"), ("functions/who.js", who)];
    let repository = repository(&ground.git, &files);
    ground.connect(&repository, json!({})).await;
    let production = ground.push(&repository, "main", "first").await;
    ground.live(&production).await;
    let preview = ground.push(&repository, "try", "second").await;
    let preview = ground.live(&preview).await;
    assert_eq!(ground.server.page(HOST, "/who").await, "production true");
    assert_eq!(ground.server.page(host_of(preview["url"].as_str().unwrap()), "/who").await, "preview false");
    let settings = ground.api.get(&project(DEMO, "")).ok().await;
    let of = |environment: &str| settings["deployment_configs"][environment].clone();
    assert_eq!(of("production")["env_vars"]["WHO"]["value"], "production");
    assert_eq!(of("production")["compatibility_flags"], json!(["nodejs_compat"]));
    assert_eq!(of("preview")["env_vars"]["WHO"]["value"], "preview");
    assert!(of("preview")["kv_namespaces"].as_object().is_none_or(serde_json::Map::is_empty));
    assert_eq!(settings["build_config"]["destination_dir"], "public");
    assert!(of("production")["wrangler_config_hash"].is_string());
}

#[tokio::test]
async fn a_worker_of_several_modules_is_bundled_and_routed_by_the_sites_own_file() {
    let Some(ground) = ground(&[]).await else { return };
    let files = [
        ("public/index.html", "static"),
        ("public/_routes.json", r#"{"version":1,"include":["/run/*"],"exclude":["/run/not"]}"#),
        ("public/run/not.html", "not run"),
        (
            "public/_worker.js/index.js",
            "import { text } from './lib/text.js'; export default { fetch: () => new Response(text) };",
        ),
        ("public/_worker.js/lib/text.js", "export const text = 'of a module';"),
    ];
    let repository = repository(&ground.git, &files);
    ground.connect(&repository, json!({ "destination_dir": "public" })).await;
    let id = ground.push(&repository, "main", "first").await;
    let live = ground.live(&id).await;
    for (path, expected) in [("/run/x", "of a module"), ("/run/not", "not run"), ("/", "static")] {
        assert_eq!(ground.server.page(HOST, path).await, expected, "{path}");
    }
    assert_eq!(stored(&ground, DEMO, &live).await.routes["exclude"], json!(["/run/not"]));
    let inside = ground.server.site(HOST, "/_worker.js/lib/text.js").await;
    assert!(!inside.text().await.unwrap().contains("of a module"), "the source is not served");
}

#[tokio::test]
async fn functions_without_a_route_leave_a_static_site() {
    let Some(ground) = ground(&[]).await else { return };
    let files = [("index.html", "static"), ("functions/helper.js", "export const help = 1;")];
    let repository = repository(&ground.git, &files);
    ground.connect(&repository, json!({})).await;
    let id = ground.push(&repository, "main", "first").await;
    let live = ground.live(&id).await;
    assert_eq!(live["uses_functions"], false);
    assert!(ground.log(&id).await.contains("There is nothing to run in functions/: the site is static."));
    ground.server.shows(HOST, "static").await;
}
