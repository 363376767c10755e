"""API keys: what is shown once is never stored, and what is revoked, expired or changed opens nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.server.conftest import both

from sorairo.server.database import Sessions
from sorairo.server.keys import (
    SCOPES,
    authenticate,
    create_key,
    list_keys,
    mark_used,
    open_account,
    read_pepper,
    revoke_key,
)
from sorairo.server.tables import ApiKey, now

pytestmark = [both, pytest.mark.usefixtures("kind")]
PEPPER = b"p" * 32


def new_key(sessions: Sessions, account: str = "alice", days: int | None = None) -> str:
    with sessions.begin() as session:
        return create_key(session, PEPPER, open_account(session, account), "laptop", SCOPES, days)


def test_a_key_opens_its_account(sessions: Sessions) -> None:
    keys = {name: new_key(sessions, name) for name in ("alice", "bob")}
    with sessions() as session:
        callers = {name: authenticate(session, PEPPER, key) for name, key in keys.items()}
        assert callers["alice"] and callers["bob"]  # noqa: PT018 (narrows the types)
        assert callers["alice"].account_id == open_account(session, "alice").id != callers["bob"].account_id
        assert callers["alice"].scopes == set(SCOPES)
        assert callers["alice"].tier == "free"


def test_the_secret_is_nowhere_in_the_database(sessions: Sessions, tmp_path: Path) -> None:
    secret = new_key(sessions).split("_", 2)[2].encode()  # the secret itself may hold "_"
    assert not any(secret in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("change", ["", "x", "sorairo_", "sorairo_1_2", "sk-other", "\x00"])
def test_anything_else_opens_nothing(sessions: Sessions, change: str) -> None:
    new_key(sessions)
    with sessions() as session:
        assert authenticate(session, PEPPER, change) is None


def test_a_wrong_secret_name_or_pepper_opens_nothing(sessions: Sessions) -> None:
    key, other = new_key(sessions), new_key(sessions)
    mixed = "_".join([*key.split("_", 2)[:2], other.split("_", 2)[2]])
    with sessions() as session:
        assert authenticate(session, PEPPER, key[:-1]) is None
        assert authenticate(session, PEPPER, mixed) is None
        assert authenticate(session, b"q" * 32, key) is None


def test_a_revoked_key_opens_nothing_from_then_on(sessions: Sessions) -> None:
    key, other = new_key(sessions), new_key(sessions)
    with sessions.begin() as session:
        revoke_key(session, key.split("_")[1])
        revoke_key(session, key.split("_")[1])
    with sessions() as session:
        assert authenticate(session, PEPPER, key) is None
        assert authenticate(session, PEPPER, other)


def test_an_expired_key_opens_nothing(sessions: Sessions) -> None:
    key = new_key(sessions, days=1)
    with sessions.begin() as session:
        assert authenticate(session, PEPPER, key)
        session.get_one(ApiKey, key.split("_")[1]).expires_at = now()
    with sessions() as session:
        assert authenticate(session, PEPPER, key) is None


def test_an_unknown_key_or_scope_is_told_with_the_nearest(sessions: Sessions) -> None:
    key_id = new_key(sessions).split("_")[1]
    with sessions() as session:
        with pytest.raises(ValueError, match=f"nearest is '{key_id}'"):
            revoke_key(session, key_id[:-1] + "-")
        with pytest.raises(ValueError, match=r"nearest is 'videos.read'"):
            create_key(session, PEPPER, open_account(session, "alice"), "x", ["videos.reed"])


def test_keys_are_listed_with_when_they_were_used(sessions: Sessions) -> None:
    key = new_key(sessions)
    for idle in (True, False):
        with sessions.begin() as session:
            caller = authenticate(session, PEPPER, key)
            assert caller
            assert caller.idle == idle
            mark_used(session, caller)
    with sessions() as session:
        ((listed, account),) = list_keys(session)
        assert (listed.name, account.name) == ("laptop", "alice")
        assert listed.last_used_at


def test_an_account_changes_its_tier_when_asked(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert open_account(session, "alice").tier == "free"
        assert open_account(session, "alice", "pro").tier == "pro"
        assert open_account(session, "alice").tier == "pro"


def test_the_pepper_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    pepper = read_pepper(file)
    assert len(pepper) == 32
    assert read_pepper(file) == pepper
    assert [path.name for path in file.parent.iterdir()] == ["pepper"]
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0
