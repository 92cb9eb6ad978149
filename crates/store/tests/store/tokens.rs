//! Accounts and tokens: who gets in, and with what.

use offprint_model::id::{AccountId, TokenId};
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use offprint_store::{Clock, Denied, Entity, Permission, Store, StoreError};

use crate::support::{World, options_in};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn a_store_makes_its_first_account_and_token_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = options_in(dir.path()).await;
    let store = Store::open(options.clone()).await.unwrap();
    let first = store.bootstrap(None, None, "Me", "me@example.com").await.unwrap();
    let token = first.token.expect("a token was made");
    assert_eq!(token.expose().len(), 40);
    assert_eq!(first.account.as_str().len(), 32);
    let again = store.bootstrap(None, None, "Me", "me@example.com").await.unwrap();
    assert!(again.token.is_none() && again.account == first.account);

    drop(store);
    let store = Store::open(options).await.unwrap();
    let principal = store.authenticate(&token).await.unwrap().expect("the token is good");
    assert_eq!(principal.email(), "me@example.com");
    assert_eq!(principal.accounts(), std::slice::from_ref(&first.account));
    let accounts = store.accounts(&principal).await.unwrap();
    assert_eq!((accounts.len(), accounts[0].name.as_str()), (1, "Me"));
}

#[tokio::test]
async fn a_given_account_and_token_are_made_where_absent() {
    let world = World::new().await;
    let other = AccountId::new("f".repeat(32));
    let made = world.store.bootstrap(Some(other.clone()), Some(secret("t")), "O", "o@x.org").await.unwrap();
    assert!(made.account == other && made.token.is_none());
    let stolen = world.store.bootstrap(None, Some(secret("t")), "O", "o@x.org").await;
    assert!(matches!(stolen, Err(StoreError::Exists(Entity::Token))));
}

#[tokio::test]
async fn a_token_opens_its_account_with_its_permission_until_it_ends() {
    let world = World::new().await;
    let store = &world.store;
    let (token, value) = store.create_token(&world.account, "ro", Permission::Read, None).await.unwrap();
    let principal = store.authenticate(&value).await.unwrap().unwrap();
    assert_eq!(principal.token_id(), &token.id);
    let account = world.account.account();
    assert!(principal.scope(account, Permission::Read).is_ok());
    assert_eq!(principal.scope(account, Permission::Write).unwrap_err(), Denied::Insufficient);
    let unknown = principal.scope(&AccountId::new("no"), Permission::Read);
    assert_eq!(unknown.unwrap_err(), Denied::UnknownAccount);

    assert!(store.authenticate(&secret("wrong")).await.unwrap().is_none());
    let past = Timestamp::from_micros(Clock::now().as_micros() - 1);
    let (_, expired) =
        store.create_token(&world.account, "old", Permission::Write, Some(past)).await.unwrap();
    assert!(store.authenticate(&expired).await.unwrap().is_none());

    let listed = store.list_tokens(&world.account).await.unwrap();
    assert_eq!(
        listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(),
        ["bootstrap", "ro", "old"]
    );
    store.revoke_token(&world.account, &token.id).await.unwrap();
    assert!(store.authenticate(&value).await.unwrap().is_none());
    let again = store.revoke_token(&world.account, &TokenId::new("x")).await;
    assert!(matches!(again, Err(StoreError::NotFound(Entity::Token))));
}

#[tokio::test]
async fn no_secret_is_on_the_disk() {
    let world = World::new().await;
    let (_, value) = world.store.create_token(&world.account, "t", Permission::Write, None).await.unwrap();
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(value.expose().len()).any(|part| part == value.expose().as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_lost_key_is_noticed_at_once() {
    let world = World::new().await;
    let options = world.options();
    drop(world.store);
    std::fs::remove_file(world.dir.path().join("secret.key")).unwrap();
    let opened = Store::open(options).await;
    assert!(matches!(opened, Err(StoreError::WrongSecretKey)));
}

#[tokio::test]
async fn the_signing_key_outlives_a_restart() {
    let world = World::new().await;
    let before = *world.store.signing_key().expose();
    let world = world.reopen().await;
    assert!(before == *world.store.signing_key().expose() && before != [0; 32]);
}

#[tokio::test]
async fn processes_may_open_one_store_at_once() {
    // Many rounds, since a database that is new is where two of them could meet.
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let options = options_in(dir.path()).await;
        let open = || Store::open(options.clone());
        let (one, two, three) = tokio::join!(open(), open(), open());
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        let made = one.bootstrap(None, None, "Me", "me@example.com").await.unwrap();
        let token = made.token.unwrap();
        assert!(two.authenticate(&token).await.unwrap().is_some());
        assert!(three.authenticate(&token).await.unwrap().is_some());
    }
}
