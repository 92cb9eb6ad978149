//! What a Function sees of a request.

use reqwest::Version;
use serde_json::{Value, json};

use super::{Certificate, HOST, answering, deployed, functions, json_of};
use crate::support::{TestServer, client};

/// Says everything it was asked.
const ECHO: &str = "return Response.json({
    method: request.method, url: request.url, headers: Object.fromEntries(request.headers), cf: request.cf,
    body: await request.text() });";

fn asked(server: &TestServer, path: &str) -> reqwest::RequestBuilder {
    client().build().unwrap().post(format!("{}{path}", server.origin())).header("host", HOST)
}

#[tokio::test]
async fn a_function_sees_the_request_as_the_visitor_made_it() {
    let server = functions!();
    deployed(&server, &answering(ECHO)).await;
    let request = asked(&server, "/api/%E4%BD%A0/a%2Fb?x=1&y=%20").header("x-own", "1").body("hello");
    let seen = json_of(request.send().await.unwrap()).await;
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["url"], format!("http://{HOST}/api/%E4%BD%A0/a%2Fb?x=1&y=%20"));
    assert_eq!((&seen["body"], &seen["headers"]["x-own"]), (&json!("hello"), &json!("1")));
    assert_eq!((&seen["headers"]["host"], &seen["headers"]["content-length"]), (&json!(HOST), &json!("5")));
}

/// What Functions take for the server's word, made up by a visitor.
const FORGED: [(&str, &str); 15] = [
    ("cf-access-authenticated-user-email", "root@example.com"),
    ("cf-connecting-ip", "192.0.2.66"),
    ("cf-ipcountry", "AQ"),
    ("cf-ray", "forged"),
    ("cf-visitor", "{\"scheme\":\"https\"}"),
    ("cf-worker", "example.com"),
    ("forwarded", "for=192.0.2.66"),
    ("offprint-cf", "{\"colo\":\"FORGED\"}"),
    ("offprint-proto", "https"),
    ("offprint-tail", "all"),
    ("true-client-ip", "192.0.2.66"),
    ("x-forwarded-for", "192.0.2.66"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "192.0.2.66"),
    ("connection", "close, x-forwarded-for"),
];

fn forged(server: &TestServer) -> reqwest::RequestBuilder {
    FORGED.iter().fold(asked(server, "/"), |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn what_only_the_server_may_say_cannot_be_made_up() {
    let server = functions!();
    deployed(&server, &answering(ECHO)).await;
    let seen = json_of(forged(&server).send().await.unwrap()).await;
    for (name, _) in FORGED {
        let truth = match name {
            "cf-connecting-ip" | "x-forwarded-for" | "x-real-ip" => json!("127.0.0.1"),
            "x-forwarded-proto" => json!("http"),
            "cf-visitor" => json!("{\"scheme\":\"http\"}"),
            // A number that is the request's own.
            "cf-ray" => {
                let ray = seen["headers"][name].as_str().unwrap();
                assert!(ray.len() == 20 && ray.ends_with("-OFF"), "{ray}");
                continue;
            }
            _ => Value::Null,
        };
        assert_eq!(seen["headers"].get(name).unwrap_or(&Value::Null), &truth, "{name}");
    }
    assert_eq!(seen["url"], format!("http://{HOST}/"));
    assert_eq!(seen["cf"]["httpProtocol"], "HTTP/1.1");
    assert_ne!(seen["cf"]["colo"], "FORGED");
    assert!(!seen.to_string().contains("192.0.2.66"), "{seen}");
}

#[tokio::test]
async fn a_trusted_proxy_says_where_the_visitor_is() {
    let server = functions!(&[("OFFPRINT_TRUST_PROXY", "true")]);
    deployed(&server, &answering(ECHO)).await;
    let request = asked(&server, "/").header("x-forwarded-for", "192.0.2.66, 203.0.113.7");
    let request = request.header("cf-ipcountry", "NZ").header("cf-ray", "230b030023ae2822-SJC");
    let seen = json_of(request.header("x-forwarded-proto", "https").send().await.unwrap()).await;
    assert_eq!(seen["url"], format!("https://{HOST}/"));
    let headers = &seen["headers"];
    assert_eq!((&headers["cf-ipcountry"], &seen["cf"]["country"]), (&json!("NZ"), &json!("NZ")));
    assert_eq!(headers["cf-ray"], "230b030023ae2822-SJC");
    assert_eq!(
        (&headers["cf-connecting-ip"], &headers["x-real-ip"]),
        (&json!("203.0.113.7"), &json!("203.0.113.7"))
    );
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["x-forwarded-proto"]),
        (&json!("192.0.2.66, 203.0.113.7"), &json!("https"))
    );
}

#[tokio::test]
async fn a_function_knows_the_protocol_and_the_encryption() {
    let certificate = Certificate::new();
    let server = functions!(&certificate.settings());
    deployed(&server, &answering(ECHO)).await;
    let url = format!("https://{HOST}:{}/", server.address().port());
    for (client, version, protocol) in
        [(client(), Version::HTTP_2, "HTTP/2"), (client().http1_only(), Version::HTTP_11, "HTTP/1.1")]
    {
        let client = client.resolve(HOST, server.address()).build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        let seen = json_of(answer).await;
        assert_eq!((&seen["url"], &seen["cf"]["httpProtocol"]), (&json!(url), &json!(protocol)));
        assert_eq!(seen["cf"]["tlsVersion"], "TLSv1.3");
        assert!(seen["cf"]["tlsCipher"].as_str().unwrap().starts_with("AEAD-"), "{}", seen["cf"]);
    }
}

#[tokio::test]
async fn environment_variables_and_bindings_that_are_not_there() {
    let server = functions!();
    let api = server.api();
    api.create_project("demo").await;
    super::configure(&api, "production", &json!({ "ai_bindings": { "AI": {} } })).await;
    let site =
        answering("try { await env.AI.run('x') } catch (error) { return new Response(error.message) }");
    let deployment = site.deploy(&api, "demo").await;
    let log = super::log_of(&api, &deployment).await;
    assert!(log.contains("Warning: ") && log.contains("AI"), "{log}");
    let said = server.page(HOST, "/").await;
    assert!(said.contains("AI"), "{said}");
}
