//! Build settings and the source repository as JSON columns.

use offprint_model::config::BuildConfig;
use offprint_model::source::{CloneUrl, PreviewSetting, Source, SourceKind};
use serde::{Deserialize, Serialize};

use super::{from_json, to_json};
use crate::error::Result;
use crate::projects::stored_name;

#[derive(Serialize, Deserialize)]
struct StoredBuildConfig {
    build_caching: Option<bool>,
    build_command: Option<String>,
    destination_dir: Option<String>,
    root_dir: Option<String>,
    web_analytics_tag: Option<String>,
    web_analytics_token: Option<String>,
}

pub(crate) fn build_config_to_json(config: &BuildConfig) -> Result<String> {
    let config = config.clone();
    to_json(
        1,
        StoredBuildConfig {
            build_caching: config.build_caching,
            build_command: config.build_command,
            destination_dir: config.destination_dir,
            root_dir: config.root_dir,
            web_analytics_tag: config.web_analytics_tag,
            web_analytics_token: config.web_analytics_token,
        },
    )
}

pub(crate) fn build_config_from_json(json: &str) -> Result<BuildConfig> {
    let stored: StoredBuildConfig = from_json(json)?;
    Ok(BuildConfig {
        build_caching: stored.build_caching,
        build_command: stored.build_command,
        destination_dir: stored.destination_dir,
        root_dir: stored.root_dir,
        web_analytics_tag: stored.web_analytics_tag,
        web_analytics_token: stored.web_analytics_token,
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredKind {
    Github,
    Gitlab,
    Forgejo,
    Gitea,
    Git,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredPreviews {
    All,
    None,
    Custom,
}

#[derive(Serialize, Deserialize)]
struct StoredSource {
    kind: StoredKind,
    owner: String,
    owner_id: String,
    repo_name: String,
    repo_id: String,
    production_branch: String,
    pr_comments_enabled: bool,
    deployments_enabled: bool,
    production_deployments_enabled: bool,
    preview_deployment_setting: StoredPreviews,
    preview_branch_includes: Vec<String>,
    preview_branch_excludes: Vec<String>,
    path_includes: Vec<String>,
    path_excludes: Vec<String>,
    // Rows that are older than builds lack what follows.
    #[serde(default)]
    clone_url: Option<String>,
    #[serde(default)]
    api_url: Option<String>,
    #[serde(default)]
    submodules: bool,
    #[serde(default)]
    lfs: bool,
    #[serde(default)]
    poll: bool,
}

pub(crate) fn source_to_json(source: &Source) -> Result<String> {
    let source = source.clone();
    let kind = match source.kind {
        SourceKind::Github => StoredKind::Github,
        SourceKind::Gitlab => StoredKind::Gitlab,
        SourceKind::Forgejo => StoredKind::Forgejo,
        SourceKind::Gitea => StoredKind::Gitea,
        SourceKind::Git => StoredKind::Git,
    };
    let previews = match source.preview_deployment_setting {
        PreviewSetting::All => StoredPreviews::All,
        PreviewSetting::None => StoredPreviews::None,
        PreviewSetting::Custom => StoredPreviews::Custom,
    };
    to_json(
        1,
        StoredSource {
            kind,
            owner: source.owner,
            owner_id: source.owner_id,
            repo_name: source.repo_name,
            repo_id: source.repo_id,
            production_branch: source.production_branch,
            pr_comments_enabled: source.pr_comments_enabled,
            deployments_enabled: source.deployments_enabled,
            production_deployments_enabled: source.production_deployments_enabled,
            preview_deployment_setting: previews,
            preview_branch_includes: source.preview_branch_includes,
            preview_branch_excludes: source.preview_branch_excludes,
            path_includes: source.path_includes,
            path_excludes: source.path_excludes,
            clone_url: source.clone_url.map(|url| url.as_str().to_owned()),
            api_url: source.api_url,
            submodules: source.submodules,
            lfs: source.lfs,
            poll: source.poll,
        },
    )
}

pub(crate) fn source_from_json(json: &str) -> Result<Source> {
    let stored: StoredSource = from_json(json)?;
    Ok(Source {
        kind: match stored.kind {
            StoredKind::Github => SourceKind::Github,
            StoredKind::Gitlab => SourceKind::Gitlab,
            StoredKind::Forgejo => SourceKind::Forgejo,
            StoredKind::Gitea => SourceKind::Gitea,
            StoredKind::Git => SourceKind::Git,
        },
        owner: stored.owner,
        owner_id: stored.owner_id,
        repo_name: stored.repo_name,
        repo_id: stored.repo_id,
        production_branch: stored.production_branch,
        pr_comments_enabled: stored.pr_comments_enabled,
        deployments_enabled: stored.deployments_enabled,
        production_deployments_enabled: stored.production_deployments_enabled,
        preview_deployment_setting: match stored.preview_deployment_setting {
            StoredPreviews::All => PreviewSetting::All,
            StoredPreviews::None => PreviewSetting::None,
            StoredPreviews::Custom => PreviewSetting::Custom,
        },
        preview_branch_includes: stored.preview_branch_includes,
        preview_branch_excludes: stored.preview_branch_excludes,
        path_includes: stored.path_includes,
        path_excludes: stored.path_excludes,
        clone_url: stored.clone_url.as_deref().map(CloneUrl::parse).transpose().map_err(stored_name)?,
        api_url: stored.api_url,
        submodules: stored.submodules,
        lfs: stored.lfs,
        poll: stored.poll,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_comes_back_whoever_keeps_it() {
        for kind in SourceKind::ALL {
            let source = Source {
                kind,
                owner: "owner".into(),
                owner_id: "1".into(),
                repo_name: "site".into(),
                repo_id: "2".into(),
                production_branch: "main".into(),
                pr_comments_enabled: false,
                deployments_enabled: true,
                production_deployments_enabled: false,
                preview_deployment_setting: PreviewSetting::Custom,
                preview_branch_includes: vec!["a*".into()],
                preview_branch_excludes: vec!["b".into()],
                path_includes: vec!["*".into()],
                path_excludes: vec!["docs/*".into()],
                clone_url: CloneUrl::parse("ssh://git@forge.example/owner/site.git").ok(),
                api_url: Some("https://forge.example/api/v1".into()),
                submodules: true,
                lfs: true,
                poll: true,
            };
            assert!(source.clone_url.is_some());
            let json = source_to_json(&source).unwrap();
            assert!(json.contains(&format!("\"kind\":\"{}\"", kind.as_str())), "{json}");
            assert_eq!(source_from_json(&json).unwrap(), source);
            // A URL that would not be believed today is damage, and no URL.
            assert!(source_from_json(&json.replace("ssh://git@", "-oProxyCommand=")).is_err());
        }
    }
}
