//! Rows of several workspaces, with nulls and ties, in the database and in memory.

use std::collections::BTreeMap;

use offprint_model::listing::{Entity, Value};
use offprint_model::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::random::Random;
use crate::support::{World, new_project, scope_of};

/// A row in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) values: BTreeMap<&'static str, Option<Value>>,
    /// Rows that it belongs to: the entity and its index.
    pub(super) owners: BTreeMap<Entity, usize>,
}

/// What is in the database.
#[derive(Default)]
pub(super) struct Data {
    pub(super) rows: BTreeMap<Entity, Vec<Row>>,
}

const APPS: [(&str, usize); 4] = [("alpha", 0), ("beta", 0), ("gamma", 0), ("other", 1)];
const STATUSES: [&str; 5] = ["pending", "running", "completed", "failed", "cancelled"];
/// A few milliseconds, some of them the same to the millisecond and not to the microsecond.
pub(super) const TIMES: [i64; 6] = [1_000_000, 1_000_400, 1_000_900, 1_001_000, 1_002_000, 1_002_001];
pub(super) const TEXTS: [&str; 7] = ["disk full", "Disk Full", "10%", "a_b", "a*b?[c]", "größer", ""];

impl Data {
    /// Fills a store.
    pub(super) async fn fill(world: &World) -> Self {
        let other = scope_of(&world.store, "ffffffffffffffffffffffffffffffff", "other-secret").await.unwrap();
        for (name, workspace) in APPS {
            let account = if workspace == 0 { &world.account } else { &other };
            world.store.create_project(account, new_project(name)).await.unwrap();
        }
        let db = world.metadata().await;
        let mut data = Self::default();
        data.read_workspaces_and_apps(&db).await;
        let mut random = Random::new(42);
        for n in 0..24 {
            data.add_build(&db, &mut random, n).await;
        }
        for n in 0..48 {
            data.add_deploy(&db, &mut random, n).await;
        }
        db.close().await.unwrap();
        data
    }

    pub(super) fn of(&self, entity: Entity) -> &[Row] {
        self.rows.get(&entity).map_or(&[], Vec::as_slice)
    }

    async fn read_workspaces_and_apps(&mut self, db: &DatabaseConnection) {
        let sql = "SELECT public_id, name, created FROM account ORDER BY seq";
        for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap() {
            let text = |column| row.try_get_by::<String, _>(column).unwrap();
            self.add(
                Entity::Workspace,
                [
                    ("id", Some(Value::Text(text("public_id")))),
                    ("name", Some(Value::Text(text("name")))),
                    ("createdAt", Some(time(row.try_get_by("created").unwrap()))),
                ],
                [],
            );
        }
        let sql = "SELECT public_id, id, name, created, modified, created_by, account_seq FROM project ORDER BY seq";
        for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap() {
            let text = |column| Some(Value::Text(row.try_get_by::<String, _>(column).unwrap()));
            let workspace = row.try_get_by::<i64, _>("account_seq").unwrap() as usize - 1;
            let in_workspace = self.of(Entity::Workspace)[workspace].values["id"].clone();
            self.add(
                Entity::App,
                [
                    ("id", text("public_id")),
                    ("workspaceId", in_workspace),
                    ("name", text("name")),
                    ("description", None),
                    ("handle", text("name")),
                    ("defaultVersionId", None),
                    ("status", Some(Value::Text("draft".into()))),
                    ("publicAccess", Some(Value::Flag(true))),
                    ("pagesProjectId", text("id")),
                    ("createdBy", text("created_by")),
                    ("deletedAt", None),
                    ("retentionTier", None),
                    ("createdAt", Some(time(row.try_get_by("created").unwrap()))),
                    ("updatedAt", Some(time(row.try_get_by("modified").unwrap()))),
                ],
                [(Entity::Workspace, workspace)],
            );
        }
    }

    async fn add_build(&mut self, db: &DatabaseConnection, random: &mut Random, n: usize) {
        let app = n % APPS.len();
        let workspace = APPS[app].1;
        let id = format!("bld_{:02}", (n * 7) % 24);
        let status = random.of(&STATUSES);
        let prompt = random.of(&["auto", "manual", "redeploy"]);
        let common = Common::draw(random);
        let sql = "INSERT INTO build (id, account_seq, project_seq, number, status, prompt, error, created_by, started, completed,
            created, source_event) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        run(db, sql, common.columns(&id, app, n, status, prompt)).await;
        let values = self.run_values(&id, app, n, status, prompt, &common);
        self.add(Entity::Build, values, [(Entity::App, app), (Entity::Workspace, workspace)]);
    }

    async fn add_deploy(&mut self, db: &DatabaseConnection, random: &mut Random, n: usize) {
        let builds: Vec<usize> = (0..self.of(Entity::Build).len()).collect();
        let build = random.of(&builds);
        let app = self.of(Entity::Build)[build].owners[&Entity::App];
        let workspace = APPS[app].1;
        let has_build = random.below(4) > 0;
        let id = format!("dep_{:02}", (n * 31) % 48);
        let status = random.of(&STATUSES);
        let prompt = random.of(&["auto", "manual", "rollback"]);
        let common = Common::draw(random);
        let sql = "INSERT INTO deployment (id, short, project_seq, build_seq, environment, branch, label, production_branch,
            commit_hash, commit_message, commit_dirty, cause, created, modified, stages, build_config, config, uses_functions)
            VALUES ($1, $2, $3, $4, 'production', 'main', 'main', 'main', '', '', 0, 'ad_hoc', 0, 0, '', '', '', 0)";
        let (project_seq, build_seq) = (app as i64 + 1, build as i64 + 1);
        let deployment = format!("deployment {n}");
        run(
            db,
            sql,
            vec![deployment.as_str().into(), (n as i64).into(), project_seq.into(), build_seq.into()],
        )
        .await;
        let sql = "INSERT INTO deploy (id, account_seq, project_seq, number, status, prompt, error, created_by, started, completed,
            created, source_event, build_seq, deployment_seq, cause)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, (SELECT max(seq) FROM deployment), 'create')";
        let mut columns = common.columns(&id, app, n, status, prompt);
        columns.push(has_build.then_some(build_seq).into());
        run(db, sql, columns).await;
        let mut values = self.run_values(&id, app, n, status, prompt, &common);
        let build_id = self.of(Entity::Build)[build].values["id"].clone();
        values.push(("buildId", build_id.filter(|_| has_build)));
        let mut owners = vec![(Entity::App, app), (Entity::Workspace, workspace)];
        if has_build {
            owners.push((Entity::Build, build));
        }
        self.add(Entity::Deploy, values, owners);
        for position in 0..random.below(4) {
            self.add_step(db, random, n, position).await;
        }
    }

    async fn add_step(
        &mut self,
        db: &DatabaseConnection,
        random: &mut Random,
        deploy: usize,
        position: usize,
    ) {
        let id = format!("depstp_{deploy}_{position}");
        let name = ["resolve_build", "seal", "upload", "activate"][position];
        let status = random.of(&["pending", "completed", "failed", "skipped"]);
        let error = (random.below(2) == 0).then(|| random.of(&TEXTS).to_owned());
        let sql = "INSERT INTO deploy_step (deploy_seq, position, id, name, status, error, created) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let values = vec![
            (deploy as i64 + 1).into(),
            (position as i64).into(),
            id.as_str().into(),
            name.into(),
            status.into(),
            error.clone().into(),
            TIMES[0].into(),
        ];
        run(db, sql, values).await;
        let deploy_id = self.of(Entity::Deploy)[deploy].values["id"].clone();
        self.add(
            Entity::DeployStep,
            [
                ("id", Some(Value::Text(id))),
                ("deployId", deploy_id),
                ("name", Some(Value::Text(name.into()))),
                ("status", Some(Value::Text(status.into()))),
                ("order", Some(Value::Number(position as i64))),
                ("error", error.map(Value::Text)),
                ("startedAt", None),
                ("completedAt", None),
                ("createdAt", Some(time(TIMES[0]))),
            ],
            [(Entity::Deploy, deploy)],
        );
    }

    fn run_values(
        &self,
        id: &str,
        app: usize,
        n: usize,
        status: &str,
        prompt: &str,
        common: &Common,
    ) -> Vec<(&'static str, Option<Value>)> {
        let of_app = &self.of(Entity::App)[app].values;
        vec![
            ("id", Some(Value::Text(id.into()))),
            ("workspaceId", of_app["workspaceId"].clone()),
            ("entityId", of_app["id"].clone()),
            ("sequenceNumber", Some(Value::Number(n as i64))),
            ("status", Some(Value::Text(status.into()))),
            ("trigger", Some(Value::Text(prompt.into()))),
            ("sourceEventId", common.source_event.clone().map(Value::Text)),
            ("error", common.error.clone().map(Value::Text)),
            ("createdBy", common.created_by.clone().map(Value::Text)),
            ("startedAt", common.started.map(time)),
            ("completedAt", common.completed.map(time)),
            ("createdAt", Some(time(common.created))),
        ]
    }

    fn add(
        &mut self,
        entity: Entity,
        values: impl IntoIterator<Item = (&'static str, Option<Value>)>,
        owners: impl IntoIterator<Item = (Entity, usize)>,
    ) {
        let row = Row { values: values.into_iter().collect(), owners: owners.into_iter().collect() };
        self.rows.entry(entity).or_default().push(row);
    }
}

/// What builds and deploys have in common.
struct Common {
    error: Option<String>,
    created_by: Option<String>,
    source_event: Option<String>,
    started: Option<i64>,
    completed: Option<i64>,
    created: i64,
}

impl Common {
    fn draw(random: &mut Random) -> Self {
        let text = |random: &mut Random| random.of(&TEXTS).to_owned();
        Self {
            error: (random.below(2) == 0).then(|| text(random)),
            created_by: (random.below(3) > 0).then(|| random.of(&["key_1", "key_2"]).to_owned()),
            source_event: (random.below(4) == 0).then(|| "evt_1".to_owned()),
            started: (random.below(3) > 0).then(|| random.of(&TIMES)),
            completed: (random.below(2) > 0).then(|| random.of(&TIMES)),
            created: random.of(&TIMES),
        }
    }

    /// What is bound for the columns of both, up to `source_event`.
    fn columns(&self, id: &str, app: usize, n: usize, status: &str, prompt: &str) -> Vec<sea_orm::Value> {
        vec![
            id.into(),
            (APPS[app].1 as i64 + 1).into(),
            (app as i64 + 1).into(),
            (n as i64).into(),
            status.into(),
            prompt.into(),
            self.error.clone().into(),
            self.created_by.clone().into(),
            self.started.into(),
            self.completed.into(),
            self.created.into(),
            self.source_event.clone().into(),
        ]
    }
}

fn time(micros: i64) -> Value {
    Value::Time(Timestamp::from_micros(micros))
}

async fn run(db: &DatabaseConnection, sql: &'static str, values: Vec<sea_orm::Value>) {
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.unwrap();
}
