use super::*;
use crate::config::{BuildConfig, EnvironmentConfig};
use crate::id::{AccountId, ProjectId};
use crate::name::ProjectName;
use crate::source::SourceKind;
use crate::time::Timestamp;
use proptest::prelude::*;

fn source() -> Source {
    Source::new(SourceKind::Github, "cedar", "site")
}

fn project() -> Project {
    Project {
        id: ProjectId::new("p"),
        account: AccountId::new("a"),
        name: ProjectName::parse("demo").unwrap(),
        production_branch: BranchName::parse("main").unwrap(),
        created: Timestamp::from_micros(0),
        script_number: 1,
        build_config: BuildConfig::default(),
        production: EnvironmentConfig::new("2026-11-22"),
        preview: EnvironmentConfig::new("2026-11-22"),
        source: Some(source()),
        domains: Vec::new(),
        canonical: None,
        latest: None,
    }
}

fn push(branch: &str, message: &str, files: &[&str]) -> Push {
    Push {
        branch: BranchName::parse(branch).unwrap(),
        commit: Commit { hash: "a".repeat(40), message: message.into(), dirty: false },
        changes: Changes { files: Some(files.iter().map(|file| (*file).to_owned()).collect()), commits: 1 },
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The word in the API, `build` for none.
fn verdict(source: &Source, push: &Push) -> &'static str {
    match judge(&project(), source, push) {
        Verdict::Build => "build",
        Verdict::Skip(reason) => reason.as_str(),
    }
}

#[test]
fn a_message_that_begins_with_a_marker_asks_for_no_build() {
    for message in ["[CI Skip]", "[ci-skip] x", "[Skip CI] x", "[SKIP-CI]x", "[CF-Pages-Skip]\nbody"] {
        assert!(has_skip_marker(message), "{message}");
    }
    for message in
        ["", "x [skip ci]", " [skip ci]", "[skip ci", "[skip  ci]", "[ci", "ÄÄÄÄÄ[ci skip]", "skip ci"]
    {
        assert!(!has_skip_marker(message), "{message}");
    }
}

#[test]
fn a_star_counts_at_the_ends_of_a_pattern_only() {
    for (pattern, matching, others) in [
        ("*", &["", "a", "a/b"][..], &[][..]),
        ("**", &["", "a"], &[]),
        ("feature/*", &["feature/", "feature/a/b"], &["feature", "a/feature/b", "Feature/a"]),
        ("*-wip", &["-wip", "a/b-wip"], &["a-wip2", "wip"]),
        ("*docs*", &["docs", "a/docs/b"], &["doc", "do/cs"]),
        ("a*c", &["a*c"], &["abc", "ac"]),
        ("docs/**", &["docs/*", "docs/*a"], &["docs/a"]),
        ("main", &["main"], &["mai", "mains", ""]),
        ("", &[""], &["a"]),
    ] {
        for text in matching {
            assert!(wildcard(pattern, text), "{pattern} {text}");
        }
        for text in others {
            assert!(!wildcard(pattern, text), "{pattern} {text}");
        }
    }
}

#[test]
fn the_switches_say_which_environment_deploys() {
    let all = source();
    let stopped = Source { deployments_enabled: false, ..source() };
    let no_production = Source { production_deployments_enabled: false, ..source() };
    let no_preview = Source { preview_deployment_setting: PreviewSetting::None, ..source() };
    let (off, preview_off) = ("production_deployments_disabled", "preview_deployments_disabled");
    for (source, main, feature) in [
        (&all, "build", "build"),
        (&stopped, off, preview_off),
        (&no_production, off, "build"),
        (&no_preview, "build", preview_off),
    ] {
        assert_eq!(verdict(source, &push("main", "x", &["a"])), main);
        assert_eq!(verdict(source, &push("feature", "x", &["a"])), feature);
    }
}

#[test]
fn excluded_branches_come_before_included_ones() {
    let custom = Source {
        preview_deployment_setting: PreviewSetting::Custom,
        preview_branch_includes: texts(&["feature/*", "staging", "main-*"]),
        preview_branch_excludes: texts(&["*-wip"]),
        ..source()
    };
    for (branch, expected) in [
        ("feature/a", "build"),
        ("feature/a-wip", "branch_config"),
        ("staging", "build"),
        ("staging2", "branch_config"),
        ("other", "branch_config"),
        ("main", "build"),
    ] {
        assert_eq!(verdict(&custom, &push(branch, "x", &["a"])), expected, "{branch}");
    }
    let ignored = Source { preview_deployment_setting: PreviewSetting::All, ..custom };
    assert_eq!(verdict(&ignored, &push("x-wip", "x", &["a"])), "build", "patterns are for custom");
}

#[test]
fn one_watched_path_is_enough() {
    let watching = Source {
        path_includes: texts(&["web/*", "package.json"]),
        path_excludes: texts(&["*.md", "web/drafts/*"]),
        ..source()
    };
    for (files, expected) in [
        (&["web/index.html"][..], "build"),
        (&["docs/a", "package.json"], "build"),
        (&["web/README.md", "web/drafts/a"], "path_config"),
        (&["docs/a", "package.json.bak"], "path_config"),
        (&["web/README.md", "web/a"], "build"),
        (&[], "build"),
    ] {
        assert_eq!(verdict(&watching, &push("main", "x", files)), expected, "{files:?}");
    }
}

#[test]
fn a_push_of_very_much_is_always_built() {
    let nothing = Source { path_includes: Vec::new(), ..source() };
    let changes = |files: Option<usize>, commits| Push {
        changes: Changes { files: files.map(|files| vec!["a".into(); files]), commits },
        ..push("main", "x", &[])
    };
    for (files, commits, expected) in [
        (Some(1), 1, "path_config"),
        (Some(2999), 19, "path_config"),
        (Some(3000), 1, "build"),
        (Some(1), 20, "build"),
        (Some(0), 1, "build"),
        (None, 1, "build"),
    ] {
        assert_eq!(verdict(&nothing, &changes(files, commits)), expected, "{files:?} {commits}");
    }
}

#[test]
fn the_first_reason_is_the_one_that_is_told() {
    let nothing = Source {
        deployments_enabled: false,
        preview_deployment_setting: PreviewSetting::Custom,
        preview_branch_includes: Vec::new(),
        path_includes: Vec::new(),
        ..source()
    };
    assert_eq!(verdict(&nothing, &push("x", "[skip ci]", &["a"])), "commit_message");
    assert_eq!(verdict(&nothing, &push("x", "x", &["a"])), "preview_deployments_disabled");
    let enabled = Source { deployments_enabled: true, ..nothing };
    assert_eq!(verdict(&enabled, &push("x", "x", &["a"])), "branch_config");
    assert_eq!(verdict(&enabled, &push("main", "x", &["a"])), "path_config");
}

/// The documentation's sentence, tried out: every star at an end is replaced by every text that could stand there.
fn wildcard_by_trial(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    fn matches(pattern: &[char], text: &[char], first: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] if first || rest.is_empty() => {
                (0..=text.len()).any(|skipped| matches(rest, &text[skipped..], false))
            }
            [c, rest @ ..] => text.first() == Some(c) && matches(rest, &text[1..], false),
        }
    }
    matches(&pattern, &text, true)
}

/// The documentation's list, file by file.
fn watched_by_trial(includes: &[String], excludes: &[String], files: &[String], commits: usize) -> bool {
    if files.is_empty() || files.len() >= 3000 || commits >= 20 {
        return true;
    }
    let mut counted = 0;
    for file in files {
        let dropped = excludes.iter().filter(|pattern| wildcard_by_trial(pattern, file)).count() > 0;
        if !dropped && includes.iter().filter(|pattern| wildcard_by_trial(pattern, file)).count() > 0 {
            counted += 1;
        }
    }
    counted > 0
}

proptest! {
    #[test]
    fn patterns_match_what_the_documentation_says(pattern in "[*a/]{0,6}", text in "[*a/]{0,6}") {
        prop_assert_eq!(wildcard(&pattern, &text), wildcard_by_trial(&pattern, &text));
    }

    #[test]
    fn paths_deploy_when_the_documentation_says_so(
        includes in proptest::collection::vec("[*ab/]{0,3}", 0..3),
        excludes in proptest::collection::vec("[*ab/]{0,3}", 0..3),
        files in proptest::collection::vec("[ab/]{1,4}", 0..4),
        commits in 0_usize..25,
    ) {
        let watching = Source { path_includes: includes.clone(), path_excludes: excludes.clone(), ..source() };
        let changes = Changes { files: Some(files.clone()), commits };
        let built = verdict(&watching, &Push { changes, ..push("main", "x", &[]) }) == "build";
        prop_assert_eq!(built, watched_by_trial(&includes, &excludes, &files, commits));
    }

    #[test]
    fn branches_deploy_when_the_documentation_says_so(
        includes in proptest::collection::vec("[*ab/]{0,3}", 0..3),
        excludes in proptest::collection::vec("[*ab/]{0,3}", 0..3),
        branch in "[ab/]{1,4}",
    ) {
        let custom = Source {
            preview_deployment_setting: PreviewSetting::Custom,
            preview_branch_includes: includes.clone(),
            preview_branch_excludes: excludes.clone(),
            ..source()
        };
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| wildcard_by_trial(pattern, &branch));
        let built = verdict(&custom, &push(&branch, "x", &["a"])) == "build";
        prop_assert_eq!(built, !matches(&excludes) && matches(&includes));
    }

    #[test]
    fn any_message_is_judged(message in ".{0,20}") {
        let plain = message.to_lowercase();
        let marked = ["[ci skip]", "[ci-skip]", "[skip ci]", "[skip-ci]", "[cf-pages-skip]"];
        // Letters that become one of ours in lower case only, such as the Kelvin sign, are no marker.
        if message.is_ascii() {
            prop_assert_eq!(has_skip_marker(&message), marked.iter().any(|marker| plain.starts_with(marker)));
        } else {
            has_skip_marker(&message);
        }
    }
}
