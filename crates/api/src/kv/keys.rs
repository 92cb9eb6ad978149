//! `GET …/namespaces/{namespace_id}/keys`: pages by cursor.

use axum::extract::State;
use http::Uri;
use offprint_model::kv::{InvalidKv, KEY_BYTES_MAX, LIST_KEYS_MAX};
use offprint_resources::kv::{KvList, KvListed, KvPosition};
use offprint_wire::envelope::CursorInfo;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::kv::{Key, raw};

use crate::answer::InfoPage;
use crate::auth::{InResource, Kv, Read};
use crate::error::{ApiError, Result};
use crate::query::Parameters;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InResource<Read, Kv>,
    uri: Uri,
) -> Result<InfoPage<Key, CursorInfo>> {
    let list = read(&Parameters::of(&uri)?)?;
    let page = ctx.resources.kv().list(&caller.resource, list).await?;
    let info = CursorInfo {
        count: page.keys.len() as u64,
        cursor: page.next.map(|next| next.cursor()).unwrap_or_default(),
    };
    Ok(InfoPage { items: page.keys.into_iter().map(shown).collect(), info })
}

fn read(parameters: &Parameters) -> Result<KvList> {
    let prefix = parameters.get("prefix").unwrap_or_default();
    if prefix.len() > KEY_BYTES_MAX {
        return Err(InvalidKv::LongKey(prefix.len()).into());
    }
    let limit = match parameters.get("limit") {
        None => LIST_KEYS_MAX,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=LIST_KEYS_MAX) => limit,
            _ => return Err(invalid(format!("limit must be a whole number from 1 to {LIST_KEYS_MAX}"))),
        },
    };
    let after = parameters.get("cursor").map(|cursor| {
        KvPosition::of_cursor(cursor).ok_or_else(|| invalid("cursor must be one of an earlier page".into()))
    });
    Ok(KvList { prefix: prefix.to_owned(), after: after.transpose()?, limit })
}

fn invalid(text: String) -> ApiError {
    ApiError::explained(ErrorCode::KvInvalid, text)
}

fn shown(key: KvListed) -> Key {
    Key { name: key.name, expiration: key.expires, metadata: raw(key.metadata) }
}
