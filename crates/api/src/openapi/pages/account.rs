//! What clients ask before they come to Pages.

use offprint_wire::account::{Account, Membership, User};
use offprint_wire::envelope::Fault;
use offprint_wire::token::{Deleted, PermissionGroup, Token, VerifiedToken};

use super::super::operation::Operation;
use super::super::schema::{Shapes, list, reference};
use super::{ACCOUNT, Section};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("Accounts");
    // What every failure is made of.
    shapes.of::<Fault>();
    let (account, token) = (shapes.of::<Account>(), shapes.of::<Token>());
    let (verified, membership) = (shapes.of::<VerifiedToken>(), shapes.of::<Membership>());
    let tokens = format!("{ACCOUNT}/tokens");
    vec![
        section.get("/user", "getUser", "Whose token it is.").yields(&shapes.of::<User>()),
        section.get("/user/tokens/verify", "verifyUserToken", "Whether the token is good.").yields(&verified),
        section.get("/memberships", "listMemberships", "To which accounts the caller belongs.").pages_of(
            shapes,
            &membership,
            20,
            50,
        ),
        section
            .get("/accounts", "listAccounts", "The accounts the caller reaches.")
            .pages_of(shapes, &account, 20, 50),
        section.get(ACCOUNT, "getAccount", "An account.").yields(&account),
        section
            .get(&tokens, "listTokens", "The API tokens of an account, without their secrets.")
            .pages_of(shapes, &token, 20, 50),
        section
            .post(&tokens, "createToken", "Make an API token; its secret is shown this once.")
            .takes(reference("NewToken"))
            .yields(&token),
        section
            .get(
                &format!("{tokens}/permission_groups"),
                "listPermissionGroups",
                "What a token may be good for.",
            )
            .yields(&list(&shapes.of::<PermissionGroup>())),
        section
            .get(&format!("{tokens}/verify"), "verifyAccountToken", "Whether the token is good.")
            .yields(&verified),
        section
            .delete(&format!("{tokens}/{{token_id}}"), "revokeToken", "Make a token worthless.")
            .yields(&shapes.of::<Deleted>()),
    ]
}
