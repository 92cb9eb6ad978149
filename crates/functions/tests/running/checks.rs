//! What an author reads when Functions do not start.

use offprint_functions::CheckFailure;
use serde_json::json;

use crate::bundles::{ES, bundle, fetch, script};
use crate::house::House;

async fn refused(house: &House, bundle: bytes::Bytes) -> String {
    let key = house.deploy(bundle).await;
    match house.check(&key).await {
        Err(CheckFailure::Refused(lines)) => lines.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place_and_a_way_out() {
    let Some(house) = House::new().await else { return };
    let ok = "export default { fetch: () => new Response() }";
    for (source, words) in [
        ("export default { fetch( { ".to_owned(), vec!["SyntaxError", "main.js:1:"]),
        (format!("import x from './lib.js'; {ok}"), vec!["odule", "lib.js", "not in the bundle"]),
        (format!("throw new TypeError('no config'); {ok}"), vec!["TypeError: no config", "main.js:1:"]),
        (format!("await fetch('https://x.example'); {ok}"), vec!["global scope", "into onRequest"]),
    ] {
        let said = refused(&house, script(&source)).await;
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!said.contains("service user"), "{said}");
    }
}

#[tokio::test]
async fn what_is_amiss_with_the_server_is_said_to_each_author() {
    let warning = "this server runs Functions without walls";
    let Some(house) = House::plain(|options| options.warning = Some(warning.into())).await else { return };
    let key = house.deploy(fetch("return new Response('ok')")).await;
    assert_eq!(house.check(&key).await, Ok(vec![warning.to_owned()]));
}

#[tokio::test]
async fn flags_and_dates_are_explained() {
    let Some(house) = House::new().await else { return };
    let with =
        |metadata| bundle(&metadata, &[("m.js", ES, b"export default { fetch: () => new Response('ok') }")]);
    let flags =
        |flags: &[&str]| with(json!({ "compatibility_date": "2024-01-01", "compatibility_flags": flags }));
    assert!(refused(&house, flags(&["no_such_flag"])).await.contains("Take \"no_such_flag\" out"));
    assert!(refused(&house, flags(&["experimental"])).await.contains("experimental flags are off"));
    let said = refused(&house, flags(&["url_standard", "url_original"])).await;
    assert!(said.contains("url_standard vs url_original"), "{said}");
    // A flag that does nothing any more is no mistake; a date from the future is used as far as it goes.
    let key = house.deploy(flags(&["url_standard"])).await;
    assert_eq!(house.check(&key).await, Ok(Vec::new()));
    let key = house.deploy(with(json!({ "compatibility_date": "2999-01-01" }))).await;
    let warnings = house.check(&key).await.unwrap().join("\n");
    assert!(warnings.contains("2999-01-01 is newer"), "{warnings}");
    assert_eq!(house.get(&key, "/").await.text, "ok");
}

#[tokio::test]
async fn a_start_that_never_ends_is_ended() {
    let Some(house) = House::with(|options| options.limits.start = std::time::Duration::from_secs(2)).await
    else {
        return;
    };
    let said = refused(&house, script("for (;;); export default {}")).await;
    assert!(said.contains("not ready after 2 seconds"), "{said}");
    use offprint_functions::FunctionRuntime;
    assert_eq!(house.runtime.live_processes(), 0);
}

#[tokio::test]
async fn visitors_of_functions_that_do_not_start_get_a_page() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(script("throw new Error('secret reason'); export default {}")).await;
    let answer = house.get(&key, "/").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.text.contains("do not start") && !answer.text.contains("secret reason"),
        "{}",
        answer.text
    );
    // Not every visitor costs a start: after three they are left alone.
    for _ in 0..2 {
        assert_eq!(house.get(&key, "/").await.status, 500);
    }
    let answer = house.get(&key, "/").await;
    assert!(answer.status == 503 && answer.text.contains("crashed too often"), "{answer:?}");
}

#[tokio::test]
async fn a_deployment_without_functions_has_nothing_to_check() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return new Response()")).await;
    let other = offprint_functions::DeploymentKey { deployment: offprint_store::ShortId(1), ..key };
    assert!(matches!(house.check(&other).await, Err(CheckFailure::Unchecked(_))));
    assert_eq!(house.get(&other, "/").await.status, 410);
}
