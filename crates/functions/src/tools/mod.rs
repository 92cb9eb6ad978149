//! The programs that Functions need: workerd to run them, wrangler to compile them. Where they are found, and how the
//! pinned versions are installed into the server's own folder.
