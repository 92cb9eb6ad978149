// Does all that a Function can do with an R2 bucket, and answers how it went. Times and versions are left out.
const steps = [];
async function step(name, does) {
  try {
    steps.push([name, (await does()) ?? null]);
  } catch (error) {
    steps.push([name, "error: " + error.message]);
  }
}
const seen = (object) => object && {
  key: object.key, size: object.size, etag: object.etag, httpEtag: object.httpEtag, http: object.httpMetadata,
  custom: object.customMetadata, range: object.range, checksums: object.checksums?.toJSON(), body: "body" in object,
  dated: Math.abs(Date.now() - object.uploaded) < 600_000, version: object.version.length > 8,
};
const listed = (list) => [list.objects.map((object) => object.key), list.delimitedPrefixes, list.truncated, typeof list.cursor];
const MIB = 1024 * 1024;

export default {
  async fetch(request, { R2: r2 }) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/put/")) {
      await r2.put(pathname.slice(5), pathname.slice(5).repeat(1000));
      return new Response("stored");
    }
    if (pathname === "/large") {
      // Streams of a size that no buffer should hold.
      const { readable, writable } = new FixedLengthStream(64 * MIB);
      const written = (async () => {
        const writer = writable.getWriter();
        for (let n = 0; n < 64; n++) await writer.write(new Uint8Array(MIB).fill(n));
        await writer.close();
      })();
      const object = await r2.put("large", readable);
      await written;
      const middle = new Uint8Array(await (await r2.get("large", { range: { offset: 33 * MIB - 1, length: 2 } })).arrayBuffer());
      return Response.json([object.size, [...middle]]);
    }
    await step("put", async () => seen(await r2.put("a", "hello")));
    await step("get", async () => {
      const object = await r2.get("a");
      return [seen(object), await object.text()];
    });
    await step("head", async () => seen(await r2.head("a")));
    await step("head nothing", () => r2.head("nothing"));
    await step("get nothing", () => r2.get("nothing"));
    await step("put metadata", async () => seen(await r2.put("m", "hello", {
      httpMetadata: {
        contentType: "text/x", contentLanguage: "de", cacheControl: "no-store", contentDisposition: "inline",
        contentEncoding: "gzip", cacheExpiry: new Date(1e12),
      },
      customMetadata: { A: "ü💥", b: "2" },
    })));
    await step("metadata of headers", async () => seen(await r2.put("mh", "hello", {
      httpMetadata: new Headers({ "content-type": "a/b", "cache-control": "max-age=1", expires: new Date(1e12).toUTCString() }),
    })));
    await step("get metadata", async () => {
      const object = await r2.get("m");
      const headers = new Headers();
      object.writeHttpMetadata(headers);
      return [seen(object), [...headers]];
    });
    const SUMS = {
      md5: "5d41402abc4b2a76b9719d911017c592",
      sha1: "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
      sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
      sha384: "59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90125a3c79f90397bdf5f6a13de828684f",
      sha512: "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043",
    };
    for (const [name, sum] of Object.entries(SUMS)) {
      await step(name, async () => seen(await r2.put("s", "hello", { [name]: sum })));
      await step(name + " of something else", async () => seen(await r2.put("s", "hell", { [name]: sum })));
    }
    await step("head of checksums", async () => seen(await r2.head("s")));
    for (const range of [
      { offset: 1 }, { offset: 1, length: 2 }, { length: 2 }, { suffix: 2 }, { suffix: 99 }, { offset: 5 }, { offset: 6 },
      { offset: 0, length: 99 }, { suffix: 0 }, { length: 0 },
    ]) {
      await step("range " + JSON.stringify(range), async () => {
        const object = await r2.get("a", { range });
        return [object.range, await object.text(), object.size];
      });
    }
    for (const range of ["bytes=1-2", "bytes=-2", "bytes=2-", "bytes=9-", "bytes=0-0,1-1", "x"]) {
      await step("header " + range, async () => {
        const object = await r2.get("a", { range: new Headers({ range }) });
        return [object.range, await object.text(), object.size];
      });
    }
    const { etag } = await r2.head("a");
    const hour = 3_600_000;
    for (const [name, onlyIf] of Object.entries({
      match: { etagMatches: etag }, "no match": { etagMatches: "x" }, "none match": { etagDoesNotMatch: "x" },
      "one matches": { etagDoesNotMatch: etag }, before: { uploadedBefore: new Date(0) }, after: { uploadedAfter: new Date(0) },
      later: { uploadedAfter: new Date(9e12) }, any: { etagMatches: "*" }, none: { etagDoesNotMatch: "*" },
      "header none": new Headers({ "if-none-match": `"${etag}"` }), "header weak": new Headers({ "if-none-match": `W/"${etag}"` }),
      "header many": new Headers({ "if-match": `"x", "${etag}"` }), "header weak match": new Headers({ "if-match": `W/"${etag}"` }),
      "header any": new Headers({ "if-none-match": "*" }),
      "header since": new Headers({ "if-modified-since": new Date(Date.now() + hour).toUTCString() }),
      "header unmodified": new Headers({ "if-unmodified-since": new Date(Date.now() + hour).toUTCString() }),
      "header both": new Headers({ "if-match": `"${etag}"`, "if-unmodified-since": new Date(0).toUTCString() }),
    })) {
      await step("get if " + name, async () => {
        const object = await r2.get("a", { onlyIf });
        return [seen(object), object.body ? await object.text() : null];
      });
    }
    await step("put if no match", async () => seen(await r2.put("a", "new", { onlyIf: { etagMatches: "x" } })));
    await step("it is the old one", async () => (await r2.get("a")).text());
    await step("put if match", async () => seen(await r2.put("a", "newer", { onlyIf: { etagMatches: etag } })));
    await step("put if absent", async () => seen(await r2.put("new", "new", { onlyIf: { etagDoesNotMatch: "*" } })));
    await step("put if absent again", async () => seen(await r2.put("new", "new", { onlyIf: new Headers({ "if-none-match": "*" }) })));
    await step("put if match of nothing", async () => seen(await r2.put("newer", "new", { onlyIf: { etagMatches: "x" } })));
    await step("empty", async () => {
      await r2.put("e", "");
      const object = await r2.get("e");
      return [seen(object), await object.text()];
    });
    await step("null", async () => seen(await r2.put("n", null)));
    await step("array buffer", async () => seen(await r2.put("ab", new Uint8Array([1, 2, 3]))));
    await step("blob", async () => seen(await r2.put("bl", new Blob(["a", "bc"]))));
    await step("stream", async () => seen(await r2.put("st", new Response("z".repeat(300_000)).body)));
    await step("stream of unknown length", () => r2.put("un", new ReadableStream()));
    await step("key of 1025 bytes", () => r2.put("k".repeat(1025), "x"));
    await step("get of 1025 bytes", () => r2.get("k".repeat(1025)));
    await step("key of 1024 bytes", async () => (await r2.put("k".repeat(1024), "x")).key.length);
    await step("delete it", () => r2.delete("k".repeat(1024)));
    await step("large metadata", () => r2.put("ml", "x", { customMetadata: { a: "x".repeat(8200) } }));
    await step("metadata that just fits", async () => seen(await r2.put("mf", "x", { customMetadata: { a: "x".repeat(8191) } })).size);
    for (const key of ["d/1", "d/2", "d/e/3", "f", "💥/x", "ü/1", "d//", "../x", "%2F", "a b", ".", "..", "\n", "\u0000", "?#"]) {
      await step("hostile " + JSON.stringify(key), async () => {
        await r2.put(key, "v" + key);
        return (await (await r2.get(key)).text()) === "v" + key;
      });
    }
    await step("list", async () => listed(await r2.list()));
    await step("list objects", async () => (await r2.list({ prefix: "m" })).objects.map(seen));
    await step("list with metadata", async () => (await r2.list({ prefix: "m", include: ["httpMetadata", "customMetadata"] })).objects.map(seen));
    await step("list with custom metadata", async () => (await r2.list({ prefix: "m", include: ["customMetadata"] })).objects.map(seen));
    await step("list folders", async () => listed(await r2.list({ delimiter: "/" })));
    await step("list a folder", async () => listed(await r2.list({ delimiter: "/", prefix: "d/" })));
    await step("list half a folder", async () => listed(await r2.list({ delimiter: "/", prefix: "d" })));
    await step("list by a long delimiter", async () => listed(await r2.list({ delimiter: "/e/", prefix: "d" })));
    await step("list three", async () => listed(await r2.list({ limit: 3 })));
    await step("list behind", async () => listed(await r2.list({ startAfter: "d/2" })));
    await step("list pages", async () => {
      const pages = [];
      let cursor;
      do {
        const page = await r2.list({ limit: 3, delimiter: "/", cursor });
        pages.push(listed(page));
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor);
      return pages;
    });
    for (const limit of [0, 1001]) await step(`list ${limit}`, async () => listed(await r2.list({ limit })));
    await step("delete", () => r2.delete("a"));
    await step("delete many", () => r2.delete(["d/1", "d/2", "nothing"]));
    await step("list what is left", async () => listed(await r2.list({ prefix: "d" })));

    const upload = await r2.createMultipartUpload("mp", { customMetadata: { x: "y" }, httpMetadata: { contentType: "a/b" } });
    let one, two;
    await step("multipart", () => [upload.key, typeof upload.uploadId]);
    await step("part 1", async () => (one = await upload.uploadPart(1, new Uint8Array(5 * MIB))).partNumber);
    await step("part 2", async () => (two = await upload.uploadPart(2, "tail")).partNumber);
    await step("part 2 again", async () => (two = await upload.uploadPart(2, "longer tail")).partNumber);
    await step("no object yet", () => r2.head("mp"));
    await step("complete with another tag", () => upload.complete([{ partNumber: 1, etag: "x" }, two]));
    await step("complete with a part that is not there", () => upload.complete([one, { partNumber: 3, etag: two.etag }]));
    await step("complete", async () => seen(await upload.complete([one, two])));
    await step("complete again", () => upload.complete([one, two]));
    await step("range over parts", async () => {
      const object = await r2.get("mp", { range: { offset: 5 * MIB - 2 } });
      return [seen(object), (await object.text()).slice(2)];
    });
    await step("whole", async () => (await (await r2.get("mp")).arrayBuffer()).byteLength);
    await step("part after the end", () => upload.uploadPart(3, "x"));
    await step("abort after the end", () => upload.abort());
    await step("small parts", async () => {
      const small = await r2.createMultipartUpload("mp2");
      return small.complete([await small.uploadPart(1, "a"), await small.uploadPart(2, "b")]);
    });
    await step("unequal parts", async () => {
      const unequal = await r2.createMultipartUpload("mp3");
      return unequal.complete([
        await unequal.uploadPart(1, new Uint8Array(5 * MIB + 1)), await unequal.uploadPart(2, new Uint8Array(5 * MIB)),
        await unequal.uploadPart(3, "c"),
      ]);
    });
    await step("one part", async () => {
      const single = await r2.createMultipartUpload("mp4");
      return seen(await single.complete([await single.uploadPart(7, "alone")]));
    });
    await step("abort", async () => {
      const aborted = await r2.createMultipartUpload("mp5");
      await aborted.uploadPart(1, "a");
      await aborted.abort();
      return aborted.uploadPart(2, "b");
    });
    await step("resume", async () => {
      const begun = await r2.createMultipartUpload("mp6");
      const resumed = r2.resumeMultipartUpload("mp6", begun.uploadId);
      return seen(await resumed.complete([await resumed.uploadPart(1, "resumed")]));
    });
    await step("resume nonsense", () => r2.resumeMultipartUpload("mp7", "nonsense").uploadPart(1, "a"));
    for (const number of [0, 10_001]) {
      await step(`part ${number}`, async () => (await r2.createMultipartUpload("mp8")).uploadPart(number, "a"));
    }
    return Response.json(steps);
  },
};
