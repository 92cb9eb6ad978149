// Does all that a Function can do with a D1 database, and answers how it went. Times and sizes are left out.
const steps = [];
async function step(name, does) {
  try {
    steps.push([name, (await does()) ?? null]);
  } catch (error) {
    steps.push([name, "error: " + error.message]);
  }
}
function seen({ success, results, meta }) {
  const { changes, last_row_id, changed_db } = meta;
  return { success, results, changes, last_row_id, changed_db };
}

export default {
  async fetch(request, { DB: db }) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/sql") {
      try {
        return Response.json(await db.prepare(searchParams.get("q")).raw());
      } catch (error) {
        return new Response("error: " + error.message);
      }
    }
    if (pathname === "/transfer") {
      // Batches are transactions: the sum never changes, whoever looks.
      const n = Number(searchParams.get("n"));
      await db.batch([
        db.prepare("UPDATE account SET amount = amount - ? WHERE id = ?").bind(n, n % 10),
        db.prepare("UPDATE account SET amount = amount + ? WHERE id = ?").bind(n, (n + 1) % 10),
      ]);
      return new Response(String(await db.prepare("SELECT sum(amount) AS s FROM account").first("s")));
    }
    const run = async (sql, ...values) => seen(await db.prepare(sql).bind(...values).run());
    const all = async (sql, ...values) => seen(await db.prepare(sql).bind(...values).all());
    await step("exec", async () => (await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, x)")).count);
    await step("insert", () => run("INSERT INTO t (name, x) VALUES (?, ?)", "a", 1));
    await step("insert numbered", () => run("INSERT INTO t (name, x) VALUES (?1, ?2)", "b", 1.5));
    await step("all", () => all("SELECT * FROM t"));
    await step("types", () => db.prepare("SELECT typeof(?1), typeof(?2), typeof(?3), typeof(?4), ?1 AS v")
      .bind(1, 1.5, "x", null).raw({ columnNames: true }));
    await step("numbers", () => db.prepare("SELECT 9007199254740993 AS b, 1e999 AS i, -1e999 AS n, 1.0 AS f, -0.0 AS z, 1e300 AS h").raw());
    await step("bytes", () => db.prepare("SELECT x'0102ff' AS b, ? AS c, typeof(?2) AS d")
      .bind(new Uint8Array([0, 255]), new Uint8Array([]).buffer).first());
    await step("text", () => db.prepare("SELECT ? AS a, '💥' AS b, length(?1) AS c").bind("ü\u0000\n'").first());
    await step("boolean", () => db.prepare("SELECT ? AS b").bind(true).first());
    await step("undefined", () => db.prepare("SELECT ? AS b").bind(undefined).first());
    await step("named", () => db.prepare("SELECT :a AS b").bind(1).first());
    for (const sql of [
      "SELEC 1", "SELECT * FROM nope", "SELECT nope FROM t", "SELECT ?, ?", "SELECT 1; SELECT ?; SELECT 2", "", "-- nothing",
      ";", "SELECT", "INSERT INTO t (name) VALUES ('a')", "INSERT INTO t (id, name) VALUES (1, 'z')", "SELECT \"x\"",
      "ATTACH 'x' AS y", "DETACH y", "PRAGMA writable_schema = 1", "PRAGMA journal_mode", "PRAGMA journal_mode = DELETE",
      "PRAGMA page_count", "PRAGMA foreign_keys", "PRAGMA foreign_keys = OFF", "PRAGMA table_info(t)", "PRAGMA index_list(t)",
      "PRAGMA database_list", "PRAGMA compile_options", "PRAGMA synchronous = OFF", "PRAGMA defer_foreign_keys = ON",
      "PRAGMA temp_store_directory = '/'", "SELECT * FROM pragma_database_list", "SELECT name FROM pragma_table_info('t')",
      "VACUUM", "VACUUM INTO 'x'", "SELECT load_extension('x')", "SELECT sqlite_version()", "CREATE TEMP TABLE tt (a)",
      "CREATE TABLE _cf_x (a)", "SELECT * FROM _cf_KV", "UPDATE sqlite_master SET sql = 'x'", "DROP TABLE sqlite_master",
      "SELECT a FROM (SELECT 1 AS a UNION SELECT 2 UNION SELECT 3)",
      "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6",
      "SELECT json_extract('{\"a\":[1,2]}', '$.a[1]') AS b", "SELECT '{\"a\":1}' ->> 'a' AS b", "SELECT value FROM json_each('[1,2]')",
      "SELECT sqrt(4) AS a, pow(2, 3) AS b, pi() > 3 AS c", "SELECT group_concat(name, '-') AS g FROM t",
      "SELECT sum(id) OVER (ORDER BY id) AS s FROM t", "SELECT date(0, 'unixepoch') AS d", "SELECT soundex('Robert') AS s",
      "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 1", "SELECT length(zeroblob(3000000)) AS l", 
      "SELECT 'x' LIKE '%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%'",
      "CREATE TABLE wide (" + Array.from({ length: 101 }, (_, n) => "c" + n).join() + ")",
      "REINDEX", "ANALYZE", "SELECT 1 AS a, 2 AS a", "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3) SELECT n FROM c",
    ]) {
      await step(sql.slice(0, 80), () => all(sql));
    }
    for (const sql of ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a"]) {
      await step(sql, async () => {
        try {
          return await all(sql);
        } catch (error) {
          return error.message.startsWith("D1_ERROR: ") ? "refused" : error.message;
        }
      });
    }
    await step("too many values", () => all("SELECT ?", 1, 2));
    await step("too many parameters", () => all("SELECT " + Array(101).fill("?").join(), ...Array(101).fill(1)));
    await step("a long statement", () => all("SELECT 1 -- " + "x".repeat(100_000)));
    await step("the longest value", () => all("SELECT length(?) AS l", "x".repeat(1_999_999)));
    await step("nested too deep", () => all("SELECT " + "(".repeat(200) + "1" + ")".repeat(200)));
    await step("duplicate columns", () => db.prepare("SELECT 1 AS a, 2 AS a").raw({ columnNames: true }));
    await step("batch", async () => (await db.batch([
      db.prepare("INSERT INTO t (name) VALUES ('c')"), db.prepare("SELECT count(*) AS n FROM t"),
    ])).map(seen));
    await step("failing batch", async () => (await db.batch([
      db.prepare("INSERT INTO t (name) VALUES ('d')"), db.prepare("INSERT INTO t (name) VALUES ('a')"),
    ])).map(seen));
    await step("nothing of it is there", () => db.prepare("SELECT count(*) AS n FROM t").first("n"));
    await step("first of nothing", () => db.prepare("SELECT * FROM t WHERE id = 99").first());
    await step("first of no column", () => db.prepare("SELECT * FROM t").first("zz"));
    await step("exec of lines", async () => (await db.exec("INSERT INTO t (name) VALUES ('e');\nINSERT INTO t (name) VALUES ('f');")).count);
    await step("failing exec", async () => (await db.exec("INSERT INTO t (name) VALUES ('g');\nbogus;")).count);
    await step("its lines are undone", () => db.prepare("SELECT count(*) AS n FROM t").first("n"));
    await step("update", () => run("UPDATE t SET x = 5"));
    await step("delete", () => run("DELETE FROM t WHERE id > 2"));
    await step("returning", () => all("INSERT INTO t (name) VALUES ('r') RETURNING id, name"));
    await step("upsert", () => run("INSERT INTO t (name, x) VALUES ('r', 9) ON CONFLICT (name) DO UPDATE SET x = excluded.x"));
    await step("trigger", async () => {
      await db.prepare("CREATE TABLE log (what)").run();
      await db.prepare("CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.name); SELECT 1; END").run();
      await run("INSERT INTO t (name) VALUES ('logged')");
      return all("SELECT * FROM log");
    });
    await step("view", async () => {
      await db.prepare("CREATE VIEW v AS SELECT name, upper(name) AS u FROM t").run();
      return all("SELECT * FROM v WHERE name = 'a'");
    });
    await step("full text", async () => {
      await db.prepare("CREATE VIRTUAL TABLE f USING fts5(body)").run();
      await run("INSERT INTO f VALUES ('the quick brown fox'), ('lazy dogs')");
      return db.prepare("SELECT highlight(f, 0, '<', '>') AS h FROM f WHERE f MATCH ? ORDER BY bm25(f)").bind("quick").first();
    });
    await step("foreign key", async () => {
      await db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)");
      await db.exec("CREATE TABLE c (pid INTEGER REFERENCES p(id) DEFERRABLE)");
      return run("INSERT INTO c VALUES (7)");
    });
    await step("deferred foreign key", async () => (await db.batch([
      db.prepare("PRAGMA defer_foreign_keys = ON"), db.prepare("INSERT INTO c VALUES (7)"), db.prepare("INSERT INTO p VALUES (7)"),
    ])).length);
    await step("deferred and never made", async () => (await db.batch([
      db.prepare("PRAGMA defer_foreign_keys = ON"), db.prepare("INSERT INTO c VALUES (8)"),
    ])).length);
    await step("not null", async () => {
      await db.exec("CREATE TABLE nn (a NOT NULL, CHECK (a > 1))");
      return run("INSERT INTO nn VALUES (NULL)");
    });
    await step("check", () => run("INSERT INTO nn VALUES (0)"));
    await step("case-sensitive like stays in its call", async () => {
      await all("PRAGMA case_sensitive_like = ON");
      return db.prepare("SELECT 'A' LIKE 'a' AS l").first("l");
    });
    await step("session", async () => {
      const session = db.withSession();
      await session.prepare("SELECT 1").all();
      const first = session.getBookmark();
      await session.prepare("INSERT INTO log VALUES ('later')").run();
      return [typeof first, first.localeCompare(session.getBookmark()) <= 0];
    });
    await step("dump", () => db.dump());
    return Response.json(steps);
  },
};
