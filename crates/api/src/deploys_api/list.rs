//! Lists: one handler for all of them. What may be asked of a list is in the description of its entity.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use offprint_model::listing::{Entity, Filter, Order, Test, VALUES_MAX, Value};
use offprint_store::{Deleted, ListPage, ListQuery, Listing, PAGE_ROWS_MAX, Place, Store};
use offprint_wire::deploys::record::Shown;
use offprint_wire::deploys::{filter, order};
use serde::Serialize;

use super::caller::{Caller, PathId};
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, with_steps};
use crate::state::Ctx;

/// A query parameter that stands for a condition on a field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shorthand {
    /// The parameter.
    pub(crate) name: &'static str,
    /// The field.
    pub(crate) field: &'static str,
    /// The condition.
    pub(crate) is: Is,
}

/// How a shorthand compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Equal,
    After,
    Before,
}

const fn equal(name: &'static str, field: &'static str) -> Shorthand {
    Shorthand { name, field, is: Is::Equal }
}

const WORKSPACE: Shorthand = equal("workspace_id", "workspaceId");
const ENTITY: Shorthand = equal("entity_id", "entityId");
const STATUS: Shorthand = equal("status", "status");
const TRIGGER: Shorthand = equal("trigger", "trigger");
const CREATED_BY: Shorthand = equal("created_by", "createdBy");

const OF_DEPLOYS: &[Shorthand] =
    &[WORKSPACE, ENTITY, equal("build_id", "buildId"), STATUS, TRIGGER, CREATED_BY];
const OF_BUILDS: &[Shorthand] =
    &[WORKSPACE, ENTITY, equal("app_id", "entityId"), STATUS, TRIGGER, CREATED_BY];
const OF_APPS: &[Shorthand] = &[WORKSPACE, equal("handle", "handle"), STATUS, CREATED_BY];
const OF_VERSIONS: &[Shorthand] = &[equal("app_id", "appId"), STATUS, CREATED_BY];
const OF_EVENTS: &[Shorthand] = &[
    WORKSPACE,
    equal("type", "type"),
    equal("subject_id", "subjectId"),
    equal("parent_id", "parentId"),
    equal("user_id", "userId"),
    Shorthand { name: "created_at_after", field: "createdAt", is: Is::After },
    Shorthand { name: "created_at_before", field: "createdAt", is: Is::Before },
];

/// The shorthands of a list.
pub(crate) const fn shorthands(entity: Entity) -> &'static [Shorthand] {
    match entity {
        Entity::Deploy => OF_DEPLOYS,
        Entity::Build => OF_BUILDS,
        Entity::App => OF_APPS,
        Entity::AppVersion => OF_VERSIONS,
        Entity::Event => OF_EVENTS,
        Entity::ApiKey | Entity::WebhookSubscription => &[WORKSPACE],
        Entity::Workspace | Entity::BuildStep | Entity::DeployStep => &[],
    }
}

/// The words of `include_deleted`, which only apps have.
pub(crate) const INCLUDE_DELETED: [(&str, Deleted); 3] =
    [("false", Deleted::Hidden), ("true", Deleted::Shown), ("only", Deleted::Only)];

/// `GET` of a list.
pub(super) async fn list(
    entity: Entity,
    State(ctx): State<Ctx>,
    caller: Caller,
    uri: Uri,
) -> Result<Response> {
    let parameters = Parameters::of(&uri)?;
    let asked = parameters.query(entity)?;
    let reach = caller.0.with_deleted(parameters.deleted(entity)?);
    let page = ctx.store.list(&reach, entity, &asked).await.map_err(|error| match (error, &asked.place) {
        (offprint_store::StoreError::BadCursor(why), Place::Before(_)) => {
            Problem::at("before", why.to_string())
        }
        (error, _) => error.into(),
    })?;
    let body = List {
        data: page.items.iter().map(|item| shown(&ctx, item)).collect(),
        page_info: PageInfo::of(&ctx.store, &page)?,
    };
    Ok(Answer(StatusCode::OK, body).into_response())
}

/// A page as its clients read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    data: Vec<Shown<'a>>,
    page_info: PageInfo,
}

/// What is behind and before a page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    total: u64,
    total_is_exact: bool,
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

impl PageInfo {
    fn of(store: &Store, page: &ListPage) -> Result<Self> {
        let cursor = |row: Option<&Listing>| row.map(|row| store.cursor(page, row)).transpose();
        Ok(Self {
            total: page.total.rows,
            total_is_exact: page.total.exact,
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: cursor(page.items.first())?,
            end_cursor: cursor(page.items.last())?,
        })
    }
}

/// `GET` of one, by its id; of a build or a deploy, with its steps.
pub(super) async fn show(
    entity: Entity,
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response> {
    let reach = caller.0.with_deleted(Deleted::Shown);
    let found = ctx.store.find(&reach, entity, &id).await?.ok_or_else(|| Problem::not_found(entity))?;
    let shown = match entity {
        Entity::Build | Entity::Deploy => with_steps(&ctx, &found, &ctx.store.steps(entity, &id).await?),
        _ => shown(&ctx, &found),
    };
    Ok(Answer(StatusCode::OK, shown).into_response())
}

/// The parameters of a list, each once.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn of(uri: &Uri) -> Result<Self> {
        let parsed = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(pairs) = parsed.map_err(|_| Problem::at("query", "is not well formed"))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                return Err(Problem::at(&name, "is given more than once"));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn query(&self, entity: Entity) -> Result<ListQuery> {
        self.check_names(entity)?;
        let order = match self.get("orderBy") {
            Some(text) => order::parse(text, entity)?,
            None => Order::newest_first(entity),
        };
        Ok(ListQuery { filter: self.filter(entity)?, order, place: self.place()?, limit: self.limit()? })
    }

    /// A misspelt parameter would list too much without a word.
    fn check_names(&self, entity: Entity) -> Result<()> {
        let general = ["limit", "after", "before", "ids", "filter", "orderBy"];
        for name in self.0.keys() {
            let known = general.contains(&name.as_str())
                || shorthands(entity).iter().any(|shorthand| shorthand.name == name)
                || (name == "include_deleted" && entity == Entity::App);
            if !known {
                return Err(Problem::at(name, format!("is no parameter of a list of {}", entity.name())));
            }
        }
        Ok(())
    }

    fn limit(&self) -> Result<u32> {
        let Some(text) = self.get("limit") else { return Ok(PAGE_ROWS_MAX) };
        let number = text.parse::<u32>().ok().filter(|number| (1..=PAGE_ROWS_MAX).contains(number));
        number
            .ok_or_else(|| Problem::at("limit", format!("must be a whole number from 1 to {PAGE_ROWS_MAX}")))
    }

    fn place(&self) -> Result<Place> {
        match (self.get("after"), self.get("before")) {
            (None, None) => Ok(Place::First),
            (Some(after), None) => Ok(Place::After(after.to_owned())),
            (None, Some(before)) => Ok(Place::Before(before.to_owned())),
            (Some(_), Some(_)) => Err(Problem::at("before", "cannot be combined with after")),
        }
    }

    fn filter(&self, entity: Entity) -> Result<Filter> {
        let mut all = Vec::new();
        for shorthand in shorthands(entity) {
            let (Some(text), Some(field)) = (self.get(shorthand.name), entity.field(shorthand.field)) else {
                continue;
            };
            let value = filter::parse_value(shorthand.name, text, field)?;
            let test = match shorthand.is {
                Is::Equal => Test::Eq(value),
                Is::After => Test::Gt(value),
                Is::Before => Test::Lt(value),
            };
            all.push(Filter::Field(field, test));
        }
        if let (Some(ids), Some(field)) = (self.get("ids"), entity.field("id")) {
            all.push(Filter::Field(field, Test::In(self::ids(ids)?)));
        }
        if let Some(text) = self.get("filter") {
            all.push(filter::parse(text, entity)?);
        }
        Ok(Filter::All(all))
    }

    fn deleted(&self, entity: Entity) -> Result<Deleted> {
        let Some(word) = self.get("include_deleted").filter(|_| entity == Entity::App) else {
            return Ok(Deleted::Hidden);
        };
        let known = INCLUDE_DELETED.iter().find(|(known, _)| *known == word);
        known
            .map(|(_, deleted)| *deleted)
            .ok_or_else(|| Problem::at("include_deleted", "must be one of false, true, only"))
    }
}

fn ids(text: &str) -> Result<Vec<Value>> {
    let ids: Vec<Value> = text
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty() && !id.contains('\0'))
        .map(|id| Value::Text(id.to_owned()))
        .collect();
    if ids.len() > VALUES_MAX {
        return Err(Problem::at("ids", format!("has more than {VALUES_MAX} ids")));
    }
    Ok(ids)
}
