//! The payload of a webhook, as a forge (or who has stolen its secret) sends it. The first line is the
//! number of a dialect with an event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_fuzz::split_line;
use offprint_model::name::BranchName;
use offprint_model::push::{Changes, FILES_BYPASS};
use offprint_wire::webhook::{Dialect, Event, is_commit_hash, read};

const CALLS: [(Dialect, &str); 8] = [
    (Dialect::Github, "push"),
    (Dialect::Github, "pull_request"),
    (Dialect::Gitlab, "Push Hook"),
    (Dialect::Gitlab, "Merge Request Hook"),
    (Dialect::Forgejo, "push"),
    (Dialect::Forgejo, "pull_request"),
    (Dialect::Gitlab, "Tag Push Hook"),
    (Dialect::Github, "ping"),
];

fuzz_target!(|input: &[u8]| {
    let (first, body) = split_line(input);
    let (dialect, event) = CALLS[first.first().map_or(0, |digit| usize::from(*digit)) % CALLS.len()];
    let webhook = match read(dialect, event, body) {
        Ok(webhook) => webhook,
        Err(error) => {
            assert!(error.to_string().len() < 400, "a refusal does not repeat what was sent");
            return;
        }
    };
    match webhook.event {
        Event::Push(push) => {
            assert!(is_commit_hash(&push.commit.hash) && push.commit.hash.bytes().any(|b| b != b'0'));
            assert!(push.commit.message.len() <= 8 * 1024);
            assert_eq!(BranchName::parse(push.branch.as_str()).as_ref(), Ok(&push.branch));
            let Changes { files, .. } = push.changes;
            assert!(files.is_none_or(|files| files.len() < FILES_BYPASS && files.is_sorted()));
        }
        Event::PullRequest(pull_request) => {
            assert!(is_commit_hash(&pull_request.commit.hash));
            assert!(pull_request.title.chars().count() <= 255);
        }
        Event::Other(what) => assert!(what.len() < 2000 && !what.chars().any(char::is_control)),
    }
});
