//! The recorded answers of Cloudflare Pages, asked of this edge.
//!
//! Every site of `testdata/conformance/serving/` is deployed to a store in a temporary directory, every
//! case is asked in process, and the whole answer is compared. One command:
//!
//! ```text
//! cargo test -p offprint-edge --test serving conformance -- --nocapture
//! ```
//!
//! A case whose row says `certainty: low` may fail; it is counted and named. There is no runtime for Functions here:
//! what a Worker would answer is counted as left, and asked of the whole server by the binary's tests. Answers which
//! the reference compressed are compared in their plain form.

use std::collections::BTreeMap;

use offprint_edge::Edge;
use offprint_model::name::Hostname;

use crate::cases::{self, Answer, Case, SiteSpec};
use crate::house::{Content, House, ask};

async fn ask_case(edge: &Edge, case: &Case) -> Answer {
    let etag = match case.etag_request() {
        None => None,
        Some(request) => {
            // A Worker's page has no tag here; then the case itself ends at the Worker too.
            let tag = ask(edge, request).await.headers.get("etag").cloned();
            tag.map(|tag| tag.to_str().unwrap().to_owned())
        }
    };
    ask(edge, case.request(etag.as_deref())).await
}

#[derive(Default)]
struct Tally {
    passed: usize,
    plain: usize,
    left: BTreeMap<String, usize>,
    failed: Vec<String>,
    failed_uncertain: Vec<String>,
}

impl Tally {
    fn count(&mut self, case: &Case, site: &SiteSpec, answer: &Answer) {
        // Only a site with a Worker may say that its Worker is not there.
        if answer.status == 501 && !site.requires.is_empty() {
            *self.left.entry(site.name.clone()).or_default() += 1;
            return;
        }
        let complaints = case.complaints(site, answer);
        if complaints.is_empty() {
            self.passed += 1;
            self.plain += usize::from(case.expects_compression());
            return;
        }
        let failure = format!("{} {}: {}", case.id, case.path(), complaints.join("; "));
        if case.is_uncertain { &mut self.failed_uncertain } else { &mut self.failed }.push(failure);
    }

    fn print(&self) {
        for failure in self.failed.iter().chain(&self.failed_uncertain) {
            println!("{failure}");
        }
        let failed = self.failed.len() + self.failed_uncertain.len();
        println!(
            "{} passed ({} of them compressed by the reference, plain here), {failed} failed (of which low \
             certainty: {})",
            self.passed,
            self.plain,
            self.failed_uncertain.len()
        );
        for (site, count) in &self.left {
            println!("{count} cases of {site} left to its Worker");
        }
    }
}

/// Deploys a directory to production, and to a branch for each of its preview hosts.
async fn deploy(house: &House, site: &SiteSpec) {
    let project = house.project(&site.name).await;
    let content = Content::of_directory(&site.public, !site.requires.is_empty());
    house.deploy(&project, "main", &content).await;
    for host in &site.hosts {
        match host.strip_suffix(".pages.dev").map(|labels| labels.split_once('.')) {
            Some(None) => {}
            Some(Some((label, _))) => {
                house.deploy(&project, label, &content).await;
            }
            None => house.add_domain(&project, &Hostname::parse(host).unwrap()).await,
        }
    }
}

#[tokio::test]
async fn answers_are_those_of_cloudflare_pages() {
    let house = House::open().await;
    let sites = cases::sites();
    for site in &sites {
        deploy(&house, site).await;
    }
    let edge = house.strict_edge().await;
    let mut tally = Tally::default();
    for case in cases::cases() {
        let site = sites.iter().find(|site| site.name == case.site).unwrap();
        let answer = ask_case(&edge, &case).await;
        tally.count(&case, site, &answer);
    }
    tally.print();
    assert!(tally.failed.is_empty(), "{} cases failed", tally.failed.len());
    assert!(tally.passed > 700, "only {} cases were asked", tally.passed);
}
